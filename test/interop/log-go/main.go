// Checks a log over HTTP with code that shares nothing with it: golang.org/x/mod/sumdb, transparency-dev, and ct-go.
//
// go run . PREFIX RFC6962-VKEY ED25519-VKEY SCTS, where SCTS is a JSON file of {"index", "sct"} with base64 SCTs.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/client"
	"github.com/google/certificate-transparency-go/jsonclient"
	"github.com/google/certificate-transparency-go/tls"
	formats "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	log.SetFlags(0)
	prefix, vkey, covkey, scts := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	tree := checkpoint(prefix, vkey, covkey)
	leaves := entries(prefix, tree)
	tiles(prefix, tree, leaves)
	api(prefix, vkey, tree, leaves)
	promises(vkey, scts, leaves)
	fmt.Printf("%d entries, every check passed\n", tree.N)
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func get(url string) []byte {
	request := must(http.NewRequest("GET", url, nil))
	request.Header.Set("Accept-Encoding", "gzip")
	response := must(http.DefaultClient.Do(request))
	defer response.Body.Close()
	if response.StatusCode != 200 {
		log.Fatalf("%s: %s", url, response.Status)
	}
	if response.Header.Get("Content-Encoding") == "gzip" {
		return must(io.ReadAll(must(gzip.NewReader(response.Body))))
	}
	return must(io.ReadAll(response.Body))
}

// checkpoint opens the note with both of the log's keys.
func checkpoint(prefix, vkey, covkey string) tlog.Tree {
	verifiers := note.VerifierList(must(formats.NewRFC6962Verifier(vkey)), must(note.NewVerifier(covkey)))
	opened := must(note.Open(get(prefix+"checkpoint"), verifiers))
	if len(opened.Sigs) != 2 {
		log.Fatalf("%d of 2 signatures verify", len(opened.Sigs))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != opened.Sigs[0].Name {
		log.Fatalf("checkpoint text is %q", opened.Text)
	}
	return tlog.Tree{N: must(strconv.ParseInt(lines[1], 10, 64)), Hash: must(tlog.ParseHash(lines[2]))}
}

// entries reads every data tile and gives the MerkleTreeLeafs.
func entries(prefix string, tree tlog.Tree) [][]byte {
	var leaves [][]byte
	for n := int64(0); n*256 < tree.N; n++ {
		width := min(256, tree.N-n*256)
		data := get(prefix + strings.Replace(tlog.Tile{H: 8, L: -1, N: n, W: int(width)}.Path(), "tile/8/", "tile/", 1))
		for len(data) > 0 {
			tbs := 42 + 3 + int(data[42])<<16 + int(binary.BigEndian.Uint16(data[43:]))
			end := tbs + 2 + int(binary.BigEndian.Uint16(data[tbs:]))
			leaves = append(leaves, append([]byte{0, 0}, data[:end]...))
			precertificate := end + 3 + int(data[end])<<16 + int(binary.BigEndian.Uint16(data[end+1:]))
			chain := precertificate + 2 + int(binary.BigEndian.Uint16(data[precertificate:]))
			for at := precertificate + 2; at < chain; at += 32 {
				issuer := get(fmt.Sprintf("%sissuer/%x", prefix, data[at:at+32]))
				if len(issuer) == 0 {
					log.Fatal("empty issuer")
				}
			}
			data = data[chain:]
		}
	}
	if int64(len(leaves)) != tree.N {
		log.Fatalf("%d entries in a tree of %d", len(leaves), tree.N)
	}
	return leaves
}

type tileReader struct{ prefix string }

func (r tileReader) Height() int { return 8 }

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		out = append(out, get(r.prefix+strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
	}
	return out, nil
}

func (r tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// tiles proves every entry and a good many earlier trees from hash tiles.
func tiles(prefix string, tree tlog.Tree, leaves [][]byte) {
	reader := tlog.TileHashReader(tree, tileReader{prefix})
	for i := range leaves {
		if i%7 != 0 && int64(i) < tree.N-3 {
			continue
		}
		p := must(tlog.ProveRecord(tree.N, int64(i), reader))
		if err := tlog.CheckRecord(p, tree.N, tree.Hash, int64(i), tlog.RecordHash(leaves[i])); err != nil {
			log.Fatalf("entry %d: %v", i, err)
		}
	}
	for n := int64(1); n <= tree.N; n += 61 {
		old := must(tlog.TreeHash(n, reader))
		if err := tlog.CheckTree(must(tlog.ProveTree(tree.N, n, reader)), tree.N, tree.Hash, n, old); err != nil {
			log.Fatalf("tree of %d: %v", n, err)
		}
	}
}

func publicKey(vkey string) []byte {
	return must(base64.StdEncoding.DecodeString(strings.SplitN(vkey, "+", 3)[2]))[1:]
}

// api asks the RFC 6962 endpoints as ct-go does.
func api(prefix, vkey string, tree tlog.Tree, leaves [][]byte) {
	ctx := context.Background()
	options := jsonclient.Options{PublicKeyDER: publicKey(vkey)}
	c := must(client.New(strings.TrimSuffix(prefix, "/"), http.DefaultClient, options))
	sth := must(c.GetSTH(ctx)) // verifies the signature
	if sth.TreeSize != uint64(tree.N) || !bytes.Equal(sth.SHA256RootHash[:], tree.Hash[:]) {
		log.Fatalf("get-sth has %d entries", sth.TreeSize)
	}
	size := sth.TreeSize
	reader := tlog.TileHashReader(tree, tileReader{prefix})
	for _, first := range []uint64{1, 2, 255, 256, 257, size - 1} {
		if first == 0 || first >= size {
			continue
		}
		p := must(c.GetSTHConsistency(ctx, first, size))
		old := must(tlog.TreeHash(int64(first), reader))
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, first, size, p, old[:], tree.Hash[:]); err != nil {
			log.Fatalf("consistency of %d: %v", first, err)
		}
	}
	for _, index := range []uint64{0, 1, 255, 256, size / 2, size - 1} {
		if index >= size {
			continue
		}
		hash := rfc6962.DefaultHasher.HashLeaf(leaves[index])
		p := must(c.GetProofByHash(ctx, hash, size))
		if uint64(p.LeafIndex) != index {
			log.Fatalf("get-proof-by-hash says %d for %d", p.LeafIndex, index)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, hash, p.AuditPath, tree.Hash[:]); err != nil {
			log.Fatalf("inclusion of %d: %v", index, err)
		}
		both := must(c.GetEntryAndProof(ctx, index, size))
		if !bytes.Equal(both.LeafInput, leaves[index]) {
			log.Fatalf("get-entry-and-proof gives another leaf for %d", index)
		}
	}
	for start := int64(0); start < tree.N; {
		got := must(c.GetRawEntries(ctx, start, tree.N-1)).Entries
		for i := range got {
			raw := must(ct.RawLogEntryFromLeaf(start+int64(i), &got[i]))
			if !bytes.Equal(got[i].LeafInput, leaves[start+int64(i)]) || len(raw.Chain) == 0 {
				log.Fatalf("get-entries gives another entry for %d", start+int64(i))
			}
		}
		start += int64(len(got))
	}
}

// promises verifies SCTs and finds their entries.
func promises(vkey, path string, leaves [][]byte) {
	var list []struct {
		Index int
		Sct   []byte
	}
	if err := json.Unmarshal(must(os.ReadFile(path)), &list); err != nil || len(list) == 0 {
		log.Fatalf("no SCTs: %v", err)
	}
	key := must(ct.PublicKeyFromB64(base64.StdEncoding.EncodeToString(publicKey(vkey))))
	verifier := must(ct.NewSignatureVerifier(key))
	for _, one := range list {
		var sct ct.SignedCertificateTimestamp
		if rest, err := tls.Unmarshal(one.Sct, &sct); err != nil || len(rest) > 0 {
			log.Fatalf("SCT %d: %v", one.Index, err)
		}
		var leaf ct.MerkleTreeLeaf
		if rest, err := tls.Unmarshal(leaves[one.Index], &leaf); err != nil || len(rest) > 0 {
			log.Fatalf("leaf %d: %v", one.Index, err)
		}
		if err := verifier.VerifySCTSignature(sct, ct.LogEntry{Leaf: leaf}); err != nil {
			log.Fatalf("SCT %d: %v", one.Index, err)
		}
	}
}
