// Decodes a dashboard by Grafana's own types, strictly: fields that there are not, that are missing, or of another type. In
// queries and field options unknown fields pass, and which words a field may have is not looked at: so are the types. Prints
// the faults, a line each; exit code 1 where there are any.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins() // what each kind of panel takes, and Prometheus's queries
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	found := dashboard.Dashboard{}
	faults := said(found.UnmarshalJSONStrict(text)) + said(found.Validate())
	fmt.Print(faults)
	if faults != "" {
		os.Exit(1)
	}
}

// said returns what an error says, as lines; one that says nothing is a list of none.
func said(err error) string {
	if err == nil || strings.TrimSpace(err.Error()) == "" {
		return ""
	}
	return strings.TrimSpace(err.Error()) + "\n"
}
