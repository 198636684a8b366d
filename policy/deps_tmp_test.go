package policy

import (
	_ "github.com/stretchr/testify/assert"
	_ "github.com/stretchr/testify/require"
	_ "go.yaml.in/yaml/v3"
	_ "pgregory.net/rapid"
	_ "sigs.k8s.io/yaml"
)
