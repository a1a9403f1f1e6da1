#!/bin/sh
# From Fulcio: its file CA and its configuration are taken as they are; signatures of the same CA, and no client needs a new root.
. "$(dirname "$0")/lib.sh"
need openssl openssl
issuer_up

step 'a file CA as Fulcio has it: a chain in PEM, an encrypted key'
openssl ecparam -name prime256v1 -genkey -noout -out root.key 2>/dev/null
openssl req -x509 -new -key root.key -days 30 -subj '/O=Example/CN=fulcio root' -out root.pem \
  -addext basicConstraints=critical,CA:TRUE,pathlen:1 -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:fulcio -out ca.key
openssl req -new -key ca.key -passin pass:fulcio -subj '/O=Example/CN=fulcio' -out ca.csr 2>/dev/null
printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nextendedKeyUsage=codeSigning\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' > ca.ext
openssl x509 -req -in ca.csr -CA root.pem -CAkey root.key -CAcreateserial -days 20 -extfile ca.ext -out ca.pem 2>/dev/null
cat ca.pem root.pem > chain.pem
printf 'fulcio\n' > passphrase

step 'its configuration loads as it is'
cat > fulcio.yaml <<YAML
oidc-issuers:
  $issuer/email:
    issuer-url: $issuer/email
    client-id: sigstore
    type: email
YAML
expect 0 $MAYFLY config check fulcio.yaml

step 'Mayfly issues under that CA'
serve_up mayfly --config fulcio.yaml --data data --ca-chain chain.pem --ca-key ca.key --ca-key-passphrase-file passphrase
expect 0 sign a "$url"
expect 0 verify a "$url"
expect 0 $MAYFLY trust export --instance "$url" --out trust
grep -q "$(openssl x509 -in root.pem -outform DER | openssl base64 -A)" trust/trusted_root.json || fail 'the root of Fulcio is not the one that clients trust'
expect 0 $MAYFLY verify a --identity dev@example.com --issuer "$issuer/email" --trusted-root trust/trusted_root.json

step 'and goes on logging to the log that Fulcio has, until clients trust the one of Mayfly'
stop "$pid"
cp root.pem roots.pem
serve_up log --role log --data log --log-roots roots.pem
$MAYFLY log key --data log > log.pem
log=$url
serve_up other --config fulcio.yaml --data other --role ca --log "$log/log/" --log-public-key log.pem \
  --ca-chain chain.pem --ca-key ca.key --ca-key-passphrase-file passphrase
expect 0 sign b "$url"
expect 0 verify b "$url"
until_ok 10 $MAYFLY log verify "$log" --key log.pem
