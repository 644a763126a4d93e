//! A bounded reader over the bytes of one message.

/// The client sent bytes that are not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed TDS message: {0}")]
pub struct Malformed(pub &'static str);

/// Reads little-endian numbers and strings and never past the end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Read `bytes` from the start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte without reading it.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Malformed("ends too early"))?;
        self.bytes = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(Malformed("ends too early"))?;
        self.bytes = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length of four bytes.
    pub fn length32(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.u32()?).map_err(|_| Malformed("length"))
    }

    /// `B_VARCHAR`: one byte of count, then UTF-16 units.
    pub fn b_varchar(&mut self) -> Result<String, Malformed> {
        let units = usize::from(self.u8()?);
        utf16(self.take(units * 2)?)
    }

    /// `US_VARCHAR`: two bytes of count, then UTF-16 units.
    pub fn us_varchar(&mut self) -> Result<String, Malformed> {
        let units = usize::from(self.u16()?);
        utf16(self.take(units * 2)?)
    }
}

/// Decode UTF-16LE. Unpaired surrogates become U+FFFD, an odd byte is an error.
pub fn utf16(bytes: &[u8]) -> Result<String, Malformed> {
    let (units, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(Malformed("odd length of UTF-16 text"));
    }
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    Ok(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_stops_at_the_end() {
        let mut reader = Reader::new(&[1, 2, 0, 1, b'a', 0, 9]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.b_varchar().as_deref(), Ok("a"));
        assert_eq!(reader.peek(), Some(9));
        assert_eq!(reader.u16(), Err(Malformed("ends too early")));
        assert_eq!(reader.take(1), Ok(&[9][..]));
    }

    #[test]
    fn utf16_keeps_pairs_and_replaces_halves() {
        assert_eq!(utf16(&[0x3D, 0xD8, 0x00, 0xDE]).as_deref(), Ok("😀"));
        assert_eq!(utf16(&[0x3D, 0xD8]).as_deref(), Ok("\u{FFFD}"));
        assert!(utf16(&[0x41]).is_err());
    }
}
