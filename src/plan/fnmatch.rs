//! Python's `fnmatch.fnmatch` on Linux: `*` crosses `/`, a bracket that never closes is itself, case counts.
//!
//! Source of the rules: `fnmatch.translate` of Python 3.8 and later, with the class it makes read as `re` reads it. A test
//! compares both on random patterns.

/// A pattern of `include_dirs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `*`: any text, also none.
    Star,
    /// `?`: any character, a line end too.
    Any,
    /// Itself.
    Char(char),
    /// `[…]`, with the ranges it has; a single character is a range of one.
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => true,
            Self::Char(own) => *own == c,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

impl Pattern {
    /// Reads a pattern; each text is one.
    pub fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut parts = Vec::with_capacity(chars.len());
        let mut at = 0;
        while let Some(c) = chars.get(at) {
            at += 1;
            let part = match c {
                '*' if parts.last() == Some(&Part::Star) => continue,
                '*' => Part::Star,
                '?' => Part::Any,
                '[' => match closing(&chars, at) {
                    Some(end) => {
                        let set = set(&chars[at..end]);
                        at = end + 1;
                        set
                    }
                    None => Part::Char('['),
                },
                c => Part::Char(*c),
            };
            parts.push(part);
        }
        Self {
            text: text.to_owned(),
            parts,
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole name is of this pattern.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut part, mut at) = (0, 0);
        // Where to go on when what follows the last star does not fit: the star then takes one character more.
        let mut star = None;
        while at < name.len() {
            match self.parts.get(part) {
                Some(Part::Star) => {
                    star = Some((part + 1, at));
                    part += 1;
                    continue;
                }
                Some(one) if one.takes(name[at]) => {
                    part += 1;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            let Some((after, taken)) = star else {
                return false;
            };
            star = Some((after, taken + 1));
            (part, at) = (after, taken + 1);
        }
        self.parts[part..].iter().all(|rest| *rest == Part::Star)
    }
}

/// The bracket that closes the one before `from`: a `]` that comes first, or after `!`, is a member.
fn closing(chars: &[char], from: usize) -> Option<usize> {
    let mut at = from;
    if chars.get(at) == Some(&'!') {
        at += 1;
    }
    if chars.get(at) == Some(&']') {
        at += 1;
    }
    let rest = chars.get(at..)?.iter();
    rest.copied().position(|c| c == ']').map(|more| at + more)
}

/// What stands between two brackets, which is never nothing.
fn set(inside: &[char]) -> Part {
    let mut chunks = chunks(inside);
    let negated = chunks[0].first() == Some(&'!');
    if negated {
        chunks[0].remove(0);
    }
    if chunks.len() == 1 && chunks[0].is_empty() {
        // Ranges that hold nothing were all there was: `[z-a]` is nothing, `[!z-a]` anything.
        let ranges = Vec::new();
        return Part::Set { negated, ranges };
    }
    let mut ranges = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        if number > 0 {
            match (chunks[number - 1].last(), chunk.first()) {
                (Some(low), Some(high)) => ranges.push((*low, *high)),
                // `re` takes a hyphen at the front of a class for itself.
                _ => ranges.push(('-', '-')),
            }
        }
        ranges.extend(chunk.iter().map(|c| (*c, *c)));
    }
    Part::Set { negated, ranges }
}

/// The members between the hyphens that make ranges: such a range goes from the last of one chunk to the first of the next.
fn chunks(inside: &[char]) -> Vec<Vec<char>> {
    let mut chunks: Vec<Vec<char>> = Vec::new();
    let mut from = 0;
    // A hyphen that comes first is a member, and so is the one after a range.
    let mut look = if inside[0] == '!' { 2 } else { 1 };
    while let Some(more) = inside
        .get(look..)
        .and_then(|rest| rest.iter().position(|c| *c == '-'))
    {
        let hyphen = look + more;
        chunks.push(inside[from..hyphen].to_vec());
        from = hyphen + 1;
        look = hyphen + 3;
    }
    match (inside.get(from..), chunks.last_mut()) {
        (Some([]) | None, Some(last)) => last.push('-'),
        (rest, _) => chunks.push(rest.unwrap_or_default().to_vec()),
    }
    for number in (1..chunks.len()).rev() {
        if chunks[number - 1].last() > chunks[number].first() {
            let next = chunks.remove(number);
            let before = &mut chunks[number - 1];
            before.pop();
            before.extend(&next[1..]);
        }
    }
    chunks
}

#[cfg(test)]
mod tests;
