{{- define "mayfly.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "mayfly.selector" -}}
app.kubernetes.io/name: mayfly
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "mayfly.labels" -}}
{{ include "mayfly.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{- define "mayfly.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* The name of a file of the data folder as a key of a Secret. */}}
{{- define "mayfly.secretKey" -}}
{{- . | replace "/" "__" -}}
{{- end -}}

{{- define "mayfly.logUrl" -}}
{{- .Values.log.url | default (printf "http://%s-log:5555/log/" (include "mayfly.name" .)) -}}
{{- end -}}

{{/* What mayfly.yaml of both roles begins with; those keys are read at the start alone. */}}
{{- define "mayfly.common" -}}
host: 0.0.0.0
port: 5555
grpc-port: 5554
metrics-host: 0.0.0.0 # where the probes ask
metrics-port: 2112
public-url: {{ .Values.publicUrl | quote }}
data: /var/lib/mayfly
drain-delay: {{ .Values.drainDelay }}
{{- end -}}

{{- define "mayfly.caConfiguration" -}}
{{ include "mayfly.common" . }}
role: ca
log:
  url: {{ include "mayfly.logUrl" . | quote }}
{{- if .Values.log.publicKey }}
  public-key: { file: /etc/mayfly/log.pem }
{{- end }}
{{- if .Values.log.bearerSecret.name }}
  bearer: { file: /run/mayfly-log/token }
{{- end }}
{{- with .Values.tls }}
{{- if .secretName }}
tls:
  certificate: /run/mayfly-tls/tls.crt
  key: /run/mayfly-tls/tls.key
  {{- if .clientCa }}
  client-ca: /run/mayfly-tls/ca.crt
  {{- end }}
grpc-tls-certificate: /run/mayfly-tls/tls.crt
grpc-tls-key: /run/mayfly-tls/tls.key
{{- if .clientCa }}
grpc-tls-client-ca: /run/mayfly-tls/ca.crt
{{- end }}
{{- end }}
{{- end }}
{{- $settings := deepCopy .Values.settings -}}
{{- if and .Values.redis.url (ne (toString (index $settings "rate-limits")) "off") }}
{{- $limits := dict "backend" "redis" "redis-url" .Values.redis.url "on-backend-error" .Values.redis.onBackendError -}}
{{- with .Values.redis.username }}{{ $_ := set $limits "redis-username" . }}{{ end -}}
{{- if .Values.redis.passwordSecret.name }}{{ $_ := set $limits "redis-password" (dict "file" "/run/mayfly-redis/password") }}{{ end -}}
{{- $_ := set $settings "rate-limits" (mergeOverwrite (index $settings "rate-limits" | default dict) $limits) -}}
{{- end }}
{{- with $settings }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mayfly.logConfiguration" -}}
{{ include "mayfly.common" . }}
role: log
log-roots: { file: /etc/mayfly-ca/root.pem }
{{- if .Values.log.bearerSecret.name }}
log-bearer: { file: /run/mayfly-log/token }
{{- end }}
{{- with .Values.log.settings }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mayfly.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "mayfly.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "mayfly.pod" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.serviceAccount.name }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
enableServiceLinks: false
terminationGracePeriodSeconds: 60
securityContext:
  {{- include "mayfly.podSecurity" . | nindent 2 }}
{{- end -}}

{{/* On the metrics port: it is in clear and asks for no certificate, whatever the others do. */}}
{{- define "mayfly.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: { path: /readyz, port: metrics }
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{- define "mayfly.dns" -}}
- to:
    - namespaceSelector: {}
      podSelector: { matchLabels: { k8s-app: kube-dns } }
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end -}}
