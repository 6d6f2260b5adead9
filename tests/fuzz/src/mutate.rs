//! Decides what to try next: an input of the corpus, changed without any idea of what it means. One seed, one sequence.
use fastrand::Rng;

/// No input becomes longer than this.
const LONGEST: usize = 64 << 10;

/// What has led programs astray before.
const PIECES: [&[u8]; 24] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"../",
    b"-1",
    b"0",
    b"18446744073709551615",
    b"9223372036854775807",
    b"1e999",
    b"null",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1b[31m",
    "\u{202e}".as_bytes(),
];

/// Makes inputs out of a corpus.
#[derive(Debug)]
pub struct Mutator<'c> {
    corpus: &'c [Vec<u8>],
    random: Rng,
}

impl<'c> Mutator<'c> {
    /// The same seed makes the same inputs.
    #[must_use]
    pub fn new(corpus: &'c [Vec<u8>], seed: u64) -> Self {
        Self { corpus, random: Rng::with_seed(seed) }
    }

    /// The next input.
    pub fn another(&mut self) -> Vec<u8> {
        let mut data = self.any();
        for _ in 0..=self.random.usize(..4) {
            self.change(&mut data);
        }
        data.truncate(LONGEST);
        data
    }

    fn any(&mut self) -> Vec<u8> {
        let index = self.random.usize(..self.corpus.len().max(1));
        self.corpus.get(index).cloned().unwrap_or_default()
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        let at = self.random.usize(..=data.len());
        let until = at + self.random.usize(..=(data.len() - at).min(64));
        match self.random.u8(..9) {
            0 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.random.u8(..8)),
            1 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte = self.random.u8(..)),
            2 => drop(data.drain(at..until)),
            3 => {
                let noise: Vec<u8> = (0..self.random.usize(1..16)).map(|_| self.random.u8(..)).collect();
                drop(data.splice(at..at, noise));
            }
            4 => {
                let piece = PIECES[self.random.usize(..PIECES.len())];
                drop(data.splice(at..until.min(at + piece.len()), piece.iter().copied()));
            }
            5 => {
                let chunk = data[at..until].to_vec();
                let times = 1 << self.random.u32(..10);
                drop(data.splice(at..at, chunk.repeat(times)));
            }
            6 => {
                let other = self.any();
                let from = self.random.usize(..=other.len());
                drop(data.splice(at..until, other.into_iter().skip(from).take(256)));
            }
            7 => {
                let to = self.random.usize(..=data.len());
                let moved: Vec<u8> = data[at..until].to_vec();
                drop(data.splice(to..to, moved));
            }
            _ => data.truncate(at),
        }
    }
}
