// Does with objects what a kube-apiserver does when they are made: decodes strictly, fills in defaults, prepares, validates
// and warns by the strategies of its registry, and judges pods by the standard that their namespace is held to. Nothing is
// stored: what would be is printed. Reads a JSON list of objects, prints {"faults", "warnings", "stored"}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	internal "k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	security "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

var strategies = map[string]rest.RESTCreateStrategy{
	"ConfigMap":           configmap.Strategy,
	"Deployment":          deployment.Strategy,
	"Ingress":             ingress.Strategy,
	"Job":                 job.Strategy,
	"Namespace":           namespace.Strategy,
	"NetworkPolicy":       networkpolicy.Strategy,
	"PodDisruptionBudget": poddisruptionbudget.Strategy,
	"Service":             service.Strategy,
	"ServiceAccount":      serviceaccount.Strategy,
	"StatefulSet":         statefulset.Strategy,
}

type report struct {
	Faults   []string         `json:"faults"`
	Warnings []string         `json:"warnings"`
	Stored   []runtime.Object `json:"stored"`
}

func main() {
	given := []json.RawMessage{}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		panic(err)
	}
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		panic(err)
	}
	codecs := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)
	told := report{Faults: []string{}, Warnings: []string{}, Stored: []runtime.Object{}}
	levels := map[string]security.LevelVersion{}
	objects, names := []runtime.Object{}, []string{}
	versions := []schema.GroupVersion{}
	kinds := []string{}
	for _, text := range given {
		object, kind, err := codecs.UniversalDecoder().Decode(text, nil, nil)
		if err != nil {
			told.Faults = append(told.Faults, err.Error())
			continue
		}
		about, _ := meta.Accessor(object)
		objects, names = append(objects, object), append(names, kind.Kind+"/"+about.GetName())
		versions, kinds = append(versions, kind.GroupVersion()), append(kinds, kind.Kind)
		if kind.Kind == "Namespace" {
			enforced := about.GetLabels()[security.EnforceLevelLabel]
			levels[about.GetName()] = security.LevelVersion{Level: security.Level(enforced), Version: security.LatestVersion()}
		}
	}
	for at, object := range objects {
		strategy, known := strategies[kinds[at]]
		if !known {
			told.Faults = append(told.Faults, names[at]+": no strategy is known here")
			continue
		}
		about, _ := meta.Accessor(object)
		ctx := request.WithNamespace(context.Background(), about.GetNamespace()) // of what is in none: none
		if found, is := object.(*internal.Service); is && found.Spec.ClusterIP != "" {
			found.Spec.ClusterIPs = []string{found.Spec.ClusterIP} // its storage does, which hands out addresses
		}
		ctx = request.WithRequestInfo(ctx, &request.RequestInfo{Verb: "create", IsResourceRequest: true,
			APIGroup: versions[at].Group, APIVersion: versions[at].Version})
		rest.FillObjectMetaSystemFields(about)
		if err := rest.BeforeCreate(strategy, ctx, object); err != nil {
			told.Faults = append(told.Faults, names[at]+": "+err.Error())
			continue
		}
		for _, each := range strategy.WarningsOnCreate(ctx, object) {
			told.Warnings = append(told.Warnings, names[at]+": "+each)
		}
		if template := templateOf(object); template != nil {
			pod := core.PodTemplateSpec{}
			if err := corev1.Convert_core_PodTemplateSpec_To_v1_PodTemplateSpec(template, &pod, nil); err != nil {
				panic(err)
			}
			level, held := levels[about.GetNamespace()]
			if !held {
				told.Faults = append(told.Faults, names[at]+": its namespace is held to nothing")
			} else if judged := policy.AggregateCheckResults(judge.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec)); !judged.Allowed {
				told.Faults = append(told.Faults, fmt.Sprintf("%s: %s: %s", names[at], level.Level, judged.ForbiddenDetail()))
			}
		}
		stored, err := legacyscheme.Scheme.ConvertToVersion(object, versions[at])
		if err != nil {
			panic(err)
		}
		told.Stored = append(told.Stored, stored)
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		panic(err)
	}
	if len(told.Faults) > 0 {
		os.Exit(1)
	}
}

func templateOf(object runtime.Object) *internal.PodTemplateSpec {
	switch found := object.(type) {
	case *apps.Deployment:
		return &found.Spec.Template
	case *apps.StatefulSet:
		return &found.Spec.Template
	case *batch.Job:
		return &found.Spec.Template
	}
	return nil
}
