// A client program for `python -m hyperlite.testing.hostile --client`: Go's net/http. `go build -o client client.go`.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type request struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Upload int    `json:"upload"`
}

type step struct {
	New       bool              `json:"new"`
	Requests  []request         `json:"requests"`
	HTTP      string            `json:"http"`
	Timeout   float64           `json:"timeout"`
	Deadline  *float64          `json:"deadline"`
	Decode    bool              `json:"decode"`
	Addresses map[string]string `json:"addresses"`
	CA        string            `json:"ca"`
}

type answer struct {
	Outcome string `json:"outcome"`
	Status  int    `json:"status,omitempty"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

func transport(s step) *http.Transport {
	pool := x509.NewCertPool()
	if pem, err := os.ReadFile(s.CA); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	dialer := &net.Dialer{Timeout: seconds(s.Timeout)}
	return &http.Transport{
		ForceAttemptHTTP2:     true,
		DisableCompression:    !s.Decode,
		TLSHandshakeTimeout:   seconds(s.Timeout),
		ResponseHeaderTimeout: seconds(s.Timeout),
		TLSClientConfig:       &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if other, found := s.Addresses[host]; err == nil && found {
				address = net.JoinHostPort(other, port)
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
}

// fetch makes a request. net/http has no limit for a step of a body, so the limit is one for all of it.
func fetch(client *http.Client, s step, r request) answer {
	limit := seconds(s.Timeout + 10)
	if s.Deadline != nil {
		limit = seconds(*s.Deadline)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var body io.Reader
	if r.Upload > 0 {
		body = bytes.NewReader(make([]byte, r.Upload))
	}
	asked, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return failed(err)
	}
	response, err := client.Do(asked)
	if err != nil {
		return failed(err)
	}
	defer response.Body.Close()
	digest := sha256.New()
	size, err := io.Copy(digest, response.Body)
	if err != nil {
		return failed(err)
	}
	return answer{"ok", response.StatusCode, size, hex.EncodeToString(digest.Sum(nil)), ""}
}

func failed(err error) answer {
	kind := "error"
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		kind = "timeout"
	}
	return answer{Outcome: kind, Detail: err.Error()}
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	client := &http.Client{}
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var s step
		if json.Unmarshal(line, &s) != nil {
			return
		}
		if s.HTTP == "h2" && strings.HasPrefix(s.Requests[0].URL, "http:") {
			out.Encode(map[string]string{"skip": "it has no HTTP/2 without TLS"})
			continue
		}
		if s.New {
			client.CloseIdleConnections()
			client = &http.Client{
				Transport:     transport(s),
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
		}
		answers := make([]answer, len(s.Requests))
		var all sync.WaitGroup
		for number, one := range s.Requests {
			all.Add(1)
			go func(number int, one request) {
				defer all.Done()
				answers[number] = fetch(client, s, one)
			}(number, one)
		}
		all.Wait()
		out.Encode(map[string][]answer{"answers": answers})
	}
}
