//! Mutations of known inputs, the same for the same seed.

/// Pieces that parsers trip over.
const TOKENS: [&[u8]; 22] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"-1",
    b"1e400",
    b"0.001",
    b"99999999999999999999",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r\n",
    b"+08:00",
    b"0000-00-00T00:00:00Z",
    b"%2e%2e/",
    b"@",
];

/// Longest input made.
const LONGEST: usize = 16 * 1_024;

/// An endless row of mutations of a corpus.
#[derive(Debug)]
pub struct Mutations {
    corpus: Vec<Vec<u8>>,
    state: u64,
}

impl Mutations {
    /// Of these inputs, by this seed.
    #[must_use]
    pub fn new(corpus: Vec<Vec<u8>>, seed: u64) -> Self {
        Self {
            corpus,
            state: seed | 1,
        }
    }

    /// xorshift64*: no dependency, and the same everywhere.
    fn draw(&mut self, below: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let drawn = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or_default() % below.max(1)
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.draw(input.len() + 1);
        match self.draw(8) {
            0 if !input.is_empty() => {
                let at = at % input.len();
                input[at] ^= 1 << self.draw(8);
            }
            1 if !input.is_empty() => {
                let at = at % input.len();
                input[at] = self.draw(256) as u8;
            }
            2 => input.truncate(at),
            3 => {
                let end = (at + 1 + self.draw(16)).min(input.len());
                input.drain(at..end);
            }
            4 => {
                let end = (at + 1 + self.draw(64)).min(input.len());
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            5 => {
                let other = self.draw(self.corpus.len());
                let other = self.corpus[other].clone();
                let from = self.draw(other.len() + 1);
                let to = (from + self.draw(64)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
            6 => {
                let digit = input.iter().skip(at).position(u8::is_ascii_digit);
                if let Some(found) = digit {
                    input[at + found] = b'0' + self.draw(10) as u8;
                }
            }
            _ => {
                let token = TOKENS[self.draw(TOKENS.len())];
                input.splice(at..at, token.iter().copied());
            }
        }
    }
}

impl Iterator for Mutations {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let chosen = self.draw(self.corpus.len());
        let mut input = self.corpus.get(chosen).cloned().unwrap_or_default();
        for _ in 0..=self.draw(5) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        Some(input)
    }
}
