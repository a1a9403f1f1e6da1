// Submits precertificates as Fulcio does, with ct-go, and looks at what came of it with that and golang.org/x/mod.
//
// go run ./submit PREFIX RFC6962-VKEY WITNESS-VKEY TOKEN CHAINS, where CHAINS is a JSON file of chains, each a list of
// base64 of DER; the last chain is one that the log must not take.
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/client"
	"github.com/google/certificate-transparency-go/jsonclient"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// bearer shows a token with each request.
type bearer struct{ token string }

func (b bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(request)
}

func connect(prefix, vkey, token string) *client.LogClient {
	key := must(base64.StdEncoding.DecodeString(strings.SplitN(vkey, "+", 3)[2]))[1:]
	options := jsonclient.Options{PublicKeyDER: key}
	return must(client.New(strings.TrimSuffix(prefix, "/"), &http.Client{Transport: bearer{token}}, options))
}

func main() {
	log.SetFlags(0)
	prefix, vkey, witness, token := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	var chains [][]ct.ASN1Cert
	for _, chain := range read(os.Args[5]) {
		var certificates []ct.ASN1Cert
		for _, der := range chain {
			certificates = append(certificates, ct.ASN1Cert{Data: der})
		}
		chains = append(chains, certificates)
	}
	good, bad := chains[:len(chains)-1], chains[len(chains)-1]
	ctx := context.Background()
	c := connect(prefix, vkey, token)
	for i, chain := range good {
		// ct-go verifies the SCT over the entry that it rebuilds from the chain itself.
		sct := must(c.AddPreChain(ctx, chain))
		again := must(c.AddPreChain(ctx, chain))
		if sct.Timestamp != again.Timestamp || !bytes.Equal(sct.Extensions, again.Extensions) {
			log.Fatalf("chain %d was logged twice", i)
		}
	}
	refuse(400, second(c.AddPreChain(ctx, bad)))
	refuse(401, second(connect(prefix, vkey, "not-the-token-of-it").AddPreChain(ctx, good[0])))
	if roots := must(c.GetAcceptedRoots(ctx)); len(roots) != 1 {
		log.Fatalf("%d roots", len(roots))
	}
	await(prefix, len(good))
	for i, chain := range good {
		entry := must(c.GetEntries(ctx, int64(i), int64(i)))[0] // parses precertificate and TBSCertificate
		if !bytes.Equal(entry.Precert.Submitted.Data, chain[0].Data) || len(entry.Chain) == 0 {
			log.Fatalf("entry %d is another", i)
		}
	}
	verifiers := note.VerifierList(
		must(formats.NewRFC6962Verifier(vkey)),
		must(formats.NewVerifierForCosignatureV1(witness)),
	)
	opened := must(note.Open(get(prefix+"checkpoint"), verifiers))
	if len(opened.Sigs) != 2 {
		log.Fatalf("%d of 2 signatures verify", len(opened.Sigs))
	}
	fmt.Printf("%d submissions, every check passed\n", len(good))
}

func second[T any](_ T, err error) error { return err }

func refuse(status int, err error) {
	var response jsonclient.RspError
	if !errors.As(err, &response) || response.StatusCode != status {
		log.Fatalf("not refused with %d: %v", status, err)
	}
}

// await reads the checkpoint until it covers that many entries.
func await(prefix string, size int) {
	for !strings.Contains(string(get(prefix+"checkpoint")), fmt.Sprintf("\n%d\n", size)) {
	}
}

func get(url string) []byte {
	response := must(http.Get(url))
	defer response.Body.Close()
	return must(io.ReadAll(response.Body))
}

func read(path string) [][][]byte {
	var chains [][][]byte
	if err := json.Unmarshal(must(os.ReadFile(path)), &chains); err != nil {
		log.Fatal(err)
	}
	return chains
}
