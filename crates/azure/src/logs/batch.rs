//! Rows of one call, within the limits of the service.

/// The most bytes of one call, packed or not. The service says 1 MB of either; this is the smaller of the two megabytes.
pub const MOST_CALL: usize = 1_000_000;
/// The most bytes of one value. The service cuts what is over 64 kB without a word.
pub const MOST_FIELD: usize = 64_000;

/// Rows of one call as a JSON array.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The array without its end.
    body: Vec<u8>,
    rows: usize,
    most: usize,
}

impl Batch {
    /// An empty one of at most so many bytes, [`MOST_CALL`] at most.
    pub fn of(most: usize) -> Self {
        Self { body: vec![b'['], rows: 0, most: most.min(MOST_CALL) }
    }

    /// Takes a row, a JSON object as text. False where it does not fit any more; the first one is always taken.
    pub fn takes(&mut self, row: &str) -> bool {
        let with = self.body.len() + row.len() + 2;
        if self.rows > 0 && with > self.most {
            return false;
        }
        if self.rows > 0 {
            self.body.push(b',');
        }
        self.body.extend_from_slice(row.as_bytes());
        self.rows += 1;
        true
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many bytes it has, not packed.
    pub fn bytes(&self) -> usize {
        self.body.len() + 1
    }

    /// The array.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes());
        body.extend_from_slice(&self.body);
        body.push(b']');
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_an_array_within_its_limit_to_the_byte() {
        let row = r#"{"a":1}"#;
        let mut batch = Batch::of(2 + 3 * row.len() + 2);
        assert!(batch.is_empty());
        assert!(batch.takes(row) && batch.takes(row) && batch.takes(row));
        assert!(!batch.takes(row));
        assert_eq!((batch.rows(), batch.bytes()), (3, 2 + 3 * row.len() + 2));
        let body = batch.body();
        assert_eq!(body.len(), batch.bytes());
        assert_eq!(serde_json::from_slice::<Vec<serde_json::Value>>(&body).unwrap().len(), 3);
    }

    #[test]
    fn one_row_is_sent_however_large_and_nobody_asks_for_more_than_the_service_takes() {
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(2_000_000));
        let mut batch = Batch::of(usize::MAX);
        assert_eq!(batch.most, MOST_CALL);
        assert!(batch.takes(&large) && !batch.takes("{}"));
    }
}
