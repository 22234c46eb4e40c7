// A registry in memory, for tests: it listens on the address that it is given.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	log.Fatal(http.ListenAndServe(os.Args[1], registry.New(registry.Logger(log.New(os.Stderr, "", 0)))))
}
