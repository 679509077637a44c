package quiclb

import "crypto/aes"

// Append appends the connection ID for a server ID and a nonce, which must have the configuration's lengths. random is
// where the low bits of the first octet come from, unless they tell the length. With a key no two calls may have the same
// server ID and nonce: see Generator.
func (c *Codec) Append(dst, serverID, nonce []byte, random byte) []byte {
	s := c.scratch.Get().(*scratch)
	defer c.scratch.Put(s)
	text := append(append(s.text[:0], serverID...), nonce...)
	switch {
	case c.block == nil:
	case len(text) == aes.BlockSize:
		c.block.Encrypt(s.text[:aes.BlockSize], text)
	default:
		c.encrypt(s, text)
	}
	low := random & 0x1f
	if c.tellLength {
		low = byte(len(text))
	}
	return append(append(dst, c.id<<5|low), text...)
}

// ServerID writes the server ID of a connection ID of this configuration into dst and returns it; nil for one that is too
// short. What follows the nonce is left to the server. dst should have room for it, so that nothing is allocated; with
// room for an AES block, 16 octets, and a server ID and nonce that fill one, it is also where they are decrypted, which is
// faster.
func (c *Codec) ServerID(dst, cid []byte) []byte {
	if len(cid) < c.Len() || cid[0]>>5 != c.id {
		return nil
	}
	text := cid[1:c.Len()]
	if c.block == nil {
		return append(dst[:0], text[:c.sid]...)
	}
	if len(text) == aes.BlockSize && cap(dst) >= aes.BlockSize {
		c.block.Decrypt(dst[:aes.BlockSize], text)
		return dst[:c.sid]
	}
	s := c.scratch.Get().(*scratch)
	defer c.scratch.Put(s)
	copy(s.text[:], text)
	c.decrypt(s, s.text[:len(text)], false)
	return append(dst[:0], s.text[:c.sid]...)
}

// Decode is ServerID that returns the nonce as well. It is for whoever examines connection IDs, not for routing.
func (c *Codec) Decode(cid []byte) (serverID, nonce []byte) {
	if len(cid) < c.Len() || cid[0]>>5 != c.id {
		return nil, nil
	}
	text := append([]byte(nil), cid[1:c.Len()]...)
	if c.block != nil {
		s := c.scratch.Get().(*scratch)
		defer c.scratch.Put(s)
		copy(s.text[:], text)
		c.decrypt(s, s.text[:len(text)], true)
		copy(text, s.text[:])
	}
	return text[:c.sid:c.sid], text[c.sid:]
}

// decrypt decrypts text in place; all of it where whole says so, else at least the server ID.
func (c *Codec) decrypt(s *scratch, text []byte, whole bool) {
	if len(text) == aes.BlockSize {
		c.block.Decrypt(text, text)
		return
	}
	half := s.split(text)
	c.pass(s, s.left[:half], s.right[:half], 4, len(text))
	c.pass(s, s.right[:half], s.left[:half], 3, len(text))
	c.pass(s, s.left[:half], s.right[:half], 2, len(text))
	if whole || c.sid > len(text)/2 { // else it is in the left half alone
		c.pass(s, s.right[:half], s.left[:half], 1, len(text))
	}
	s.join(text, half)
}

// encrypt encrypts text in place in four passes, section 4.3.2 of the draft.
func (c *Codec) encrypt(s *scratch, text []byte) {
	half := s.split(text)
	c.pass(s, s.right[:half], s.left[:half], 1, len(text))
	c.pass(s, s.left[:half], s.right[:half], 2, len(text))
	c.pass(s, s.right[:half], s.left[:half], 3, len(text))
	c.pass(s, s.left[:half], s.right[:half], 4, len(text))
	s.join(text, half)
}

// pass changes one half by what the other encrypts to. Where they share an octet, each keeps to its nibble.
func (c *Codec) pass(s *scratch, change, by []byte, number byte, length int) {
	s.in = [aes.BlockSize]byte{aes.BlockSize - 2: byte(length), aes.BlockSize - 1: number}
	copy(s.in[:], by)
	c.block.Encrypt(s.out[:], s.in[:])
	for i := range change {
		change[i] ^= s.out[i]
	}
	switch odd := length%2 == 1; {
	case odd && number%2 == 0: // the left half
		change[len(change)-1] &= 0xf0
	case odd:
		change[0] &= 0x0f
	}
}

// split makes halves of text and returns their length. Those of an odd length share the octet in the middle, of which the
// left one has the high nibble.
func (s *scratch) split(text []byte) (half int) {
	half = (len(text) + 1) / 2
	copy(s.left[:half], text)
	copy(s.right[:half], text[len(text)-half:])
	if len(text)%2 == 1 {
		s.left[half-1] &= 0xf0
		s.right[0] &= 0x0f
	}
	return half
}

// join makes text of the halves again.
func (s *scratch) join(text []byte, half int) {
	shared := s.left[half-1]
	copy(text[len(text)-half:], s.right[:half])
	copy(text, s.left[:half])
	if len(text)%2 == 1 {
		text[half-1] = shared | s.right[0]
	}
}
