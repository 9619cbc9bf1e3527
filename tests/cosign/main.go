// Cosign's own command line, at one known version, for the suites that compare signatures with it.
// It lacks cosign's plug-ins for cloud key services, which take most of the time to build.
package main

import (
	"log"

	"github.com/sigstore/cosign/v3/cmd/cosign/cli"
)

func main() {
	if err := cli.New().Execute(); err != nil {
		log.Fatal(err)
	}
}
