//! Arbitrary bytes as a source of choices.

/// Hands bytes out until there are none left; then everything is zero.
pub(crate) struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number below `n`, which is at most 256 and not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    /// One of so many; `None` if there are none. Of more than 256, one of the last.
    pub(crate) fn pick(&mut self, of: usize) -> Option<usize> {
        let among = of.min(256);
        (of > 0).then(|| of - 1 - self.below(among))
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    /// Mostly small, sometimes at an end of all numbers, sometimes any.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            255 => self.word(),
            254 => u64::MAX - u64::from(self.byte()),
            253 => u64::MAX - (1 << 32) - u64::from(self.byte()) + 128,
            252 => u64::MAX - (1 << 33) - u64::from(self.byte()) + 128,
            251 => (u64::from(self.byte()) << 32) + u64::from(self.byte()),
            250 => (1 << 40) + u64::from(self.byte()),
            small => u64::from(small % 16),
        }
    }

    pub(crate) fn word(&mut self) -> u64 {
        let mut bytes = [0; 8];
        let taken = self.take(8);
        bytes[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(bytes)
    }

    /// At most so many bytes.
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Up to `most` of something.
    pub(crate) fn list<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| one(self)).collect()
    }
}
