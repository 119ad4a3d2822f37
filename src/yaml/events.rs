//! What stands in a document, by the grammar of YAML 1.1 that libyaml has, and kubectl's parser after it.

use libyaml_safer::{Error, Event, EventData, Mark, Parser};

use super::Fault;

/// The events of one document.
pub(super) struct Events<'a> {
    parser: Parser<&'a [u8]>,
    text: &'a str,
    /// Number of its first line.
    line: usize,
    /// Whether a `!` that stands alone may be a tag.
    may_have_bang: bool,
    /// The byte at which each character begins, once it was needed.
    offsets: Option<Vec<usize>>,
}

impl std::fmt::Debug for Events<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the events from line {}", self.line)
    }
}

impl<'a> Events<'a> {
    /// Those of a text whose first line has this number.
    pub(super) fn new(text: &'a str, line: usize) -> Self {
        let mut parser = Parser::new();
        parser.set_input(text.as_bytes());
        Self {
            parser,
            text,
            line,
            may_have_bang: ["! ", "!\t", "!\n", "!\r"]
                .iter()
                .any(|bang| text.contains(bang)),
            offsets: None,
        }
    }

    /// The next event, and its line.
    ///
    /// # Errors
    /// Where the text is no YAML, in libyaml's words, which kubectl says too.
    pub(super) fn next(&mut self) -> Result<(EventData, usize), Fault> {
        match self.parser.parse() {
            Ok(Event {
                data, start_mark, ..
            }) => {
                let data = self.with_bang(data, start_mark);
                Ok((data, self.line_of(start_mark)))
            }
            Err(error) => Err(self.fault(&error)),
        }
    }

    fn line_of(&self, mark: Mark) -> usize {
        self.line + usize::try_from(mark.line).unwrap_or(usize::MAX)
    }

    fn fault(&self, error: &Error) -> Fault {
        let problem = error.problem();
        let mark = error.problem_mark();
        let line = mark.map_or(self.line, |mark| self.line_of(mark));
        let begin = error.context_mark().map_or(line, |mark| self.line_of(mark));
        let lines = self.text.lines().take(line - self.line + 1);
        let directive = lines.enumerate().find(|(_, text)| text.starts_with('%'));
        if let Some((at, _)) = directive
            && problem.contains("document start")
        {
            let reason = "kubectl takes no directive (a line that begins with `%`): remove it, or quote the text";
            return Fault::new(self.line + at, reason);
        }
        if problem == "found character that cannot start any token" {
            let text = self.text.lines().nth(line - self.line).unwrap_or_default();
            let indent = text.len() - text.trim_start().len();
            let remedy = if text[..indent].contains('\t') {
                "indent with spaces, not with tabs"
            } else {
                "quote the text"
            };
            return Fault::new(line, format!("{problem}: {remedy}"));
        }
        let last = self.line + self.text.lines().count().max(1) - 1;
        match error.context() {
            Some(context) if line > last && begin <= last => {
                Fault::new(begin, format!("{problem} ({context} that begins here)"))
            }
            _ if line > last => Fault::new(last, problem),
            // Only the line after it shows that the colon is missing.
            Some("while scanning a simple key") => Fault::new(begin, problem),
            Some(context) if begin < line => Fault::new(
                line,
                format!("{problem} ({context} that begins in line {begin})"),
            ),
            Some(context) => Fault::new(line, format!("{problem} ({context})")),
            None => Fault::new(line, problem),
        }
    }

    /// The event of a scalar with its tag: libyaml leaves the tag `!` out, which means that the scalar is text.
    fn with_bang(&mut self, mut data: EventData, start: Mark) -> EventData {
        if let EventData::Scalar { tag, .. } = &mut data
            && tag.is_none()
            && self.may_have_bang
            && self.begins_with_bang(start)
        {
            *tag = Some("!".to_owned());
        }
        data
    }

    fn begins_with_bang(&mut self, start: Mark) -> bool {
        let text = self.text;
        let offsets = self
            .offsets
            .get_or_insert_with(|| text.char_indices().map(|(at, _)| at).collect());
        let at = usize::try_from(start.index).ok();
        let Some(at) = at.and_then(|at| offsets.get(at)) else {
            return false;
        };
        let mut words = text[*at..].split([' ', '\t', '\n', '\r']);
        let first = words.find(|word| !word.is_empty());
        match first {
            Some("!") => true,
            // An anchor may stand before it.
            Some(word) if word.starts_with('&') => words.find(|word| !word.is_empty()) == Some("!"),
            _ => false,
        }
    }
}
