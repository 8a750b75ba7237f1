"""Which places a text names: divisions by a gazetteer, addresses below them by patterns. Pure, no I/O but the
package's own data, read at the first use."""
