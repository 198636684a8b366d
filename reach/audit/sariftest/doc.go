// Package sariftest validates what package audit writes against the schema of SARIF
// 2.1.0. It is a module of its own, so that the library does not depend on what has
// the schema.
package sariftest
