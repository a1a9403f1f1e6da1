// Command deploy-check reads deployment files as the programs that take them do, and refuses what they would not know:
// Kubernetes manifests on standard input, by the types of k8s.io/api, and compose files, by Docker's own loader.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "manifests":
		err = manifests(os.Stdin, os.Stdout)
	case len(os.Args) == 3 && os.Args[1] == "compose":
		err = compose(os.Args[2], os.Stdout)
	default:
		err = errors.New("usage: deploy-check manifests < FILE | deploy-check compose FILE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// manifests prints each object on a line as JSON, as the API server would understand it.
// An unknown or repeated field is an error. Kinds of other API groups than Kubernetes' own pass as they are.
func manifests(in io.Reader, out io.Writer) error {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	reader := utilyaml.NewYAMLReader(bufio.NewReader(in))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		plain, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return err
		}
		if string(plain) == "null" {
			continue
		}
		var meta metav1.TypeMeta
		if err := json.Unmarshal(plain, &meta); err != nil {
			return err
		}
		kind := meta.GroupVersionKind()
		object, _, err := decoder.Decode(document, nil, nil)
		if runtime.IsNotRegisteredError(err) && !strings.HasSuffix(kind.Group, "k8s.io") && kind.Group != "" {
			fmt.Fprintln(out, string(plain))
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		line, err := json.Marshal(object)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, string(line))
	}
}

// compose prints the project as JSON, with every default written out.
func compose(file string, out io.Writer) error {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv, cli.WithName("mayfly"))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	text, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}
