package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// composeFile is what compose.yaml may have: what Compose does not know is refused
// as it is by Compose.
type composeFile struct {
	Board    composeService `yaml:"x-board"`
	Services map[string]composeService
	Networks map[string]struct {
		IPAM struct {
			Config []struct{ Subnet netip.Prefix }
		}
	}
	Volumes map[string]struct{}
}

type composeService struct {
	Image       string
	Build       struct{ Context, Dockerfile string }
	Command     words
	Environment map[string]string
	Volumes     []string
	Ports       []string
	Profiles    []string
	Networks    composeNetworks
	Restart     string
	Grace       time.Duration                         `yaml:"stop_grace_period"`
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct {
		Test     []string
		Interval time.Duration
	}
}

// words are a command as one text, or a text for each.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = strings.Fields(n.Value)
		return nil
	}
	return n.Decode((*[]string)(w))
}

// composeNetworks are names, or names with the service's address in each.
type composeNetworks map[string]struct {
	Address netip.Addr `yaml:"ipv4_address"`
}

func (c *composeNetworks) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return n.Decode((*map[string]struct {
			Address netip.Addr `yaml:"ipv4_address"`
		})(c))
	}
	var names []string
	err := n.Decode(&names)
	*c = composeNetworks{}
	for _, name := range names {
		(*c)[name] = struct {
			Address netip.Addr `yaml:"ipv4_address"`
		}{}
	}
	return err
}

// parseYAML reads a file of deploy, in which nothing is unknown where strict.
func parseYAML(t *testing.T, file string, strict bool, into any) {
	t.Helper()
	text, err := os.ReadFile("deploy/" + file)
	must(t, err)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(strict)
	must(t, d.Decode(into))
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Errorf("%s has a second document: %v", file, err)
	}
}

// TestCompose holds compose.yaml to what Compose knows, to itself and to nginx.conf.
func TestCompose(t *testing.T) {
	var file composeFile
	parseYAML(t, "compose.yaml", true, &file)
	addresses := map[netip.Addr]string{}
	for name, s := range file.Services {
		composeStands(t, &file, name, &s)
		for network, at := range s.Networks {
			n, ok := file.Networks[network]
			switch {
			case !ok:
				t.Errorf("%s is in the network %s, which there is not", name, network)
			case at.Address.IsValid() && (!n.IPAM.Config[0].Subnet.Contains(at.Address) || addresses[at.Address] != ""):
				t.Errorf("%s has the address %s, of %s or outside of %s", name, at.Address, addresses[at.Address], n.IPAM.Config[0].Subnet)
			}
			addresses[at.Address] = name
		}
		if len(s.Networks) == 0 {
			t.Errorf("%s is in no network with the others", name)
		}
	}
	proxy, err := os.ReadFile("deploy/nginx.conf")
	must(t, err)
	for _, name := range []string{"board-1", "board-2"} {
		s := file.Services[name]
		if !strings.Contains(string(proxy), name+":8000") {
			t.Errorf("nginx.conf does not know %s", name)
		}
		composeNode(t, &file, name, &s)
	}
	_, inside, _ := strings.Cut(file.Services["proxy"].Ports[0], ":")
	if !strings.Contains(string(proxy), "listen "+inside+";") {
		t.Errorf("nginx does not listen at %s", inside)
	}
	command := strings.Join(file.Services["postgres"].Command, " ")
	if !strings.Contains(command, "wal_level=logical") || !strings.Contains(command, "max_slot_wal_keep_size=") {
		t.Errorf("postgres runs as %q", command)
	}
}

// composeStands holds a service to what else is in the file and beside it.
func composeStands(t *testing.T, file *composeFile, name string, s *composeService) {
	t.Helper()
	if s.Build.Context == "" && !regexp.MustCompile(`^[a-z]+:[0-9.]+$`).MatchString(s.Image) {
		t.Errorf("%s runs %q: want an image of a release", name, s.Image)
	}
	if s.Build.Context != "" {
		_, err := os.Stat(filepath.Join("deploy", s.Build.Context, s.Build.Dockerfile))
		must(t, err)
	}
	for _, mount := range s.Volumes {
		from, to, _ := strings.Cut(mount, ":")
		if strings.HasPrefix(from, ".") {
			_, err := os.Stat(filepath.Join("deploy", from))
			must(t, err)
		} else if _, ok := file.Volumes[from]; !ok || !strings.HasPrefix(to, "/") {
			t.Errorf("%s mounts %s, which there is not", name, mount)
		}
	}
	dockerfile, err := os.ReadFile("deploy/Dockerfile")
	must(t, err)
	for other, how := range s.DependsOn {
		on, ok := file.Services[other]
		checked := len(on.Healthcheck.Test) > 0 || on.Build.Context != "" && strings.Contains(string(dockerfile), "\nHEALTHCHECK ")
		if !ok || how.Condition != "service_started" && (how.Condition != "service_healthy" || !checked) {
			t.Errorf("%s waits until %s is %s, which it never is", name, other, how.Condition)
		}
	}
}

// composeNode holds a node to the services that its settings name, and to the time
// that a stop takes.
func composeNode(t *testing.T, file *composeFile, name string, s *composeService) {
	t.Helper()
	for _, variable := range []string{"PANDO_DB", "PANDO_BROKER", "PANDO_CACHE"} {
		at, err := url.Parse(regexp.MustCompile(`\$\{\w+:\?\}`).ReplaceAllString(s.Environment[variable], "secret"))
		must(t, err)
		if _, ok := file.Services[at.Hostname()]; !ok {
			t.Errorf("%s: %s leads to %q, which there is not", name, variable, at.Hostname())
		}
		if _, ok := s.DependsOn[at.Hostname()]; !ok {
			t.Errorf("%s does not depend on %s", name, at.Hostname())
		}
	}
	drain, err := time.ParseDuration(s.Environment["PANDO_DRAIN"])
	must(t, err)
	if s.Grace < drain+stopTime {
		t.Errorf("%s is killed after %s, and may take %s and %s", name, s.Grace, drain, stopTime)
	}
}

// stopTime is how long a server may take to end once it has drained.
const stopTime = 25 * time.Second

// TestKubernetes holds the manifest to the program: its port, what it answers, and
// what a stop takes.
func TestKubernetes(t *testing.T) {
	type probe struct {
		Get struct {
			Path string
			Port int
		} `yaml:"httpGet"`
	}
	var manifest struct {
		Spec struct {
			Template struct {
				Spec struct {
					Grace      int `yaml:"terminationGracePeriodSeconds"`
					Containers []struct {
						Image string
						Ports []struct {
							Port int `yaml:"containerPort"`
						}
						Env       []struct{ Name, Value string }
						Startup   probe `yaml:"startupProbe"`
						Readiness probe `yaml:"readinessProbe"`
						Liveness  probe `yaml:"livenessProbe"`
					}
				}
			}
		}
	}
	parseYAML(t, "kubernetes.yaml", false, &manifest)
	pod := manifest.Spec.Template.Spec
	board := pod.Containers[0]
	env := map[string]string{}
	for _, e := range board.Env {
		env[e.Name] = e.Value
	}
	dockerfile, err := os.ReadFile("deploy/Dockerfile")
	must(t, err)
	for path, p := range map[string]probe{"/livez": board.Liveness, "/readyz": board.Readiness} {
		if p.Get.Path != path || p.Get.Port != board.Ports[0].Port || !strings.Contains(string(dockerfile), fmt.Sprintf("PANDO_ADDR=:%d ", p.Get.Port)) {
			t.Errorf("a probe asks for %s at %d", p.Get.Path, p.Get.Port)
		}
	}
	if board.Startup != board.Liveness {
		t.Errorf("at the start %v is asked for, later %v", board.Startup, board.Liveness)
	}
	drain, err := time.ParseDuration(env["PANDO_DRAIN"])
	must(t, err)
	if patience := time.Duration(pod.Grace) * time.Second; patience < drain+stopTime {
		t.Errorf("a pod is killed after %s, and may take %s and %s", patience, drain, stopTime)
	}
}
