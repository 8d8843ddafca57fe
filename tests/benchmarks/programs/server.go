// Go's net/http for benchmarks: server PORT_FILE ROOT KEY_FILE CERTIFICATE_FILE
package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	portFile, root, key, certificate := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	http.Handle("/", http.FileServer(http.Dir(root)))
	http.HandleFunc("/post", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("content-type", "application/json")
		io.WriteString(w, `{"ok": true}`)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(portFile+".new", []byte(port), 0o644); err != nil {
		panic(err)
	}
	if err := os.Rename(portFile+".new", portFile); err != nil {
		panic(err)
	}
	panic(http.ServeTLS(listener, nil, certificate, key))
}
