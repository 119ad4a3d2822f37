//! What stands for a secret: a mark that is the same for the same value, under a salt that nobody keeps.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Stands in for values under a salt that nobody keeps.
#[derive(Clone)]
pub struct Marker([u8; 32]);

impl Marker {
    /// One for this run.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// What stands for a value: its length, and eight digits that are the same for the same value.
    pub fn mark(&self, value: &[u8]) -> String {
        format!("<redacted len={} id={}>", value.len(), self.id(value))
    }

    /// HMAC-SHA256 (RFC 2104), cut to four bytes.
    fn id(&self, value: &[u8]) -> String {
        let block = |byte: u8| {
            let mut block = [byte; 64];
            block
                .iter_mut()
                .zip(self.0)
                .for_each(|(pad, key)| *pad ^= key);
            block
        };
        let inner = Sha256::new()
            .chain_update(block(0x36))
            .chain_update(value)
            .finalize();
        let outer = Sha256::new()
            .chain_update(block(0x5c))
            .chain_update(inner)
            .finalize();
        hex::encode(&outer[..4])
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker(***)")
    }
}
