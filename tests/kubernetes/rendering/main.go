// Renders folders by kustomize's own library and decodes what comes by Kubernetes's own types, strictly: a field that
// there is not, or of another type, is a fault. Prints the objects as one list in JSON, defaults not filled in.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, batch.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme,
	} {
		if err := add(known); err != nil {
			panic(err)
		}
	}
	decoder := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, known, known,
		serializer.SerializerOptions{Yaml: true, Strict: true})
	faults := 0
	objects := []runtime.Object{}
	for _, folder := range os.Args[1:] {
		found, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", folder, err)
			os.Exit(1)
		}
		for _, resource := range found.Resources() {
			text, err := resource.AsYAML()
			if err != nil {
				panic(err)
			}
			object, _, err := decoder.Decode(text, nil, nil)
			if err != nil {
				faults++
				fmt.Fprintf(os.Stderr, "%s: %s: %v\n", folder, resource.CurId(), err)
				continue
			}
			objects = append(objects, object)
		}
	}
	printed := bytes.Buffer{}
	if err := json.NewEncoder(&printed).Encode(objects); err != nil {
		panic(err)
	}
	os.Stdout.Write(printed.Bytes())
	if faults > 0 {
		os.Exit(1)
	}
}
