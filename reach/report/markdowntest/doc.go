// Package markdowntest reads the Markdown of package report as GitHub does. It is a
// module of its own, so that the library does not depend on what reads it.
package markdowntest
