package bundles

import (
	"bytes"
	"crypto/sha256"
	"io"
)

// parcel is an archive in memory. It grows without moving what it has, since an
// archive may be as large as the memory that is left.
type parcel struct {
	pieces [][]byte
	size   int64
}

// pieceSize is how much a parcel grows by.
const pieceSize = 256 << 10

// parcelOf is a parcel of bytes that are there already.
func parcelOf(raw []byte) *parcel { return &parcel{[][]byte{raw}, int64(len(raw))} }

// Write implements io.Writer. It never fails.
func (p *parcel) Write(content []byte) (int, error) {
	written := len(content)
	p.size += int64(written)
	for len(content) > 0 {
		last := len(p.pieces) - 1
		if last < 0 || len(p.pieces[last]) == cap(p.pieces[last]) {
			p.pieces, last = append(p.pieces, make([]byte, 0, pieceSize)), last+1
		}
		fits := min(len(content), cap(p.pieces[last])-len(p.pieces[last]))
		p.pieces[last] = append(p.pieces[last], content[:fits]...)
		content = content[fits:]
	}
	return written, nil
}

// reader reads it from its beginning.
func (p *parcel) reader() io.Reader {
	readers := make([]io.Reader, len(p.pieces))
	for i, piece := range p.pieces {
		readers[i] = bytes.NewReader(piece)
	}
	return io.MultiReader(readers...)
}

func (p *parcel) digest() (digest [sha256.Size]byte) {
	sum := sha256.New()
	for _, piece := range p.pieces {
		sum.Write(piece)
	}
	sum.Sum(digest[:0])
	return digest
}
