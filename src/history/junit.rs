//! The test cases of a JUnit file, whoever wrote it.
//!
//! JUnit has no one schema. What is read is what all writers agree on: `<testsuites>` or a bare `<testsuite>`, suites within
//! suites, cases with `<failure>`, `<error>` and `<skipped>`. The XML is quick-xml's business. Its sibling quick-junit reads
//! what it wrote itself: a root `<testsuites>`, no suites within suites, times with a zone.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

use super::text::clean;

/// How deep elements may be nested; writers use six levels.
const DEEPEST: usize = 64;
/// Characters of a name, and of a message.
const NAME: usize = 300;
const MESSAGE: usize = 300;
/// Bytes of a failure's text that are looked at, where it has no message.
const TEXT: usize = 2048;

/// How a case went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Neither of the others.
    Passed,
    /// By `<failure>` or by `<error>`.
    Failed,
    /// It did not run.
    Skipped,
}

/// One case of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Suite, class and name: what tells it from all others.
    pub test: String,
    /// How it went.
    pub outcome: Outcome,
    /// Why it failed.
    pub message: String,
}

/// Why a file has no cases to tell.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// It is no XML, or not all of it, or a name in it is no UTF-8.
    #[error("{reason} (near byte {byte})")]
    Malformed {
        /// What is wrong.
        reason: String,
        /// Where it was noticed.
        byte: u64,
    },
    /// It is XML of another kind.
    #[error("it is no JUnit: its root is `<{0}>`")]
    OtherRoot(String),
    /// It has no root at all.
    #[error("it is empty")]
    Empty,
}

/// What an element means.
enum Element {
    /// The root of several suites; its name is that of a run, and part of no test's.
    Suites(Suite),
    Suite(Suite),
    Case(Case),
    /// `<failure>` or `<error>` of a case.
    Failure {
        message: String,
        /// Whether its text says no more than its message.
        is_told: bool,
    },
    Other,
}

/// A suite that is being read.
struct Suite {
    name: String,
    /// Cases that failed, as it says itself, with those of the suites in it.
    counted: u64,
    /// Cases that failed before it began.
    before: usize,
}

/// The cases of a file, in its order.
///
/// A suite that counts failures which none of its cases shows is a failed case itself.
///
/// # Errors
/// [`JunitError`]. Bytes that are no UTF-8 in the output of a test spoil nothing: neither names nor results depend on it.
pub fn cases(bytes: &[u8]) -> Result<Vec<Case>, JunitError> {
    let mut parser = Parser::default();
    let mut reader = Reader::from_reader(bytes);
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let malformed = |reason: String| JunitError::Malformed { reason, byte: at };
        match event.map_err(|error| malformed(clean(&error.to_string(), MESSAGE)))? {
            Event::Start(element) => parser.open(&element).map_err(|it| it.at(at))?,
            Event::Empty(element) => {
                parser.open(&element).map_err(|it| it.at(at))?;
                parser.close();
            }
            Event::End(_) => parser.close(),
            Event::Text(text) => parser.text(&text),
            Event::CData(text) => parser.text(&text),
            Event::GeneralRef(entity) => {
                let name = String::from_utf8_lossy(&entity).into_owned();
                let plain = resolve_predefined_entity(&name).map(str::to_owned);
                let of_number = || entity.resolve_char_ref().ok().flatten().map(String::from);
                parser.text(plain.or_else(of_number).unwrap_or_default().as_bytes());
            }
            Event::Eof if !parser.open.is_empty() => {
                return Err(malformed("it ends in the middle".to_owned()));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if parser.has_root {
        Ok(parser.cases)
    } else {
        Err(JunitError::Empty)
    }
}

/// What is wrong with an element.
enum Fault {
    Malformed(String),
    OtherRoot(String),
}

impl Fault {
    fn at(self, byte: u64) -> JunitError {
        match self {
            Self::Malformed(reason) => JunitError::Malformed { reason, byte },
            Self::OtherRoot(root) => JunitError::OtherRoot(root),
        }
    }
}

#[derive(Default)]
struct Parser {
    open: Vec<Element>,
    cases: Vec<Case>,
    failed: usize,
    has_root: bool,
}

impl Parser {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), Fault> {
        if self.open.len() == DEEPEST {
            return Err(Fault::Malformed(format!(
                "elements are nested more than {DEEPEST} deep"
            )));
        }
        let name = element.local_name();
        let element = match (name.as_ref(), self.open.last()) {
            (b"testsuites", None) => Element::Suites(self.suite(element)?),
            (b"testsuite", None | Some(Element::Suites(_) | Element::Suite(_))) => {
                Element::Suite(self.suite(element)?)
            }
            (name, None) => {
                let name = String::from_utf8_lossy(name);
                return Err(Fault::OtherRoot(clean(&name, NAME)));
            }
            // Some writers leave the suites out.
            (b"testcase", Some(Element::Suites(_) | Element::Suite(_))) => {
                Element::Case(self.case(element)?)
            }
            (b"failure" | b"error", Some(Element::Case(_))) => {
                let message = attribute(element, "message")?.unwrap_or_default();
                Element::Failure {
                    is_told: !message.trim().is_empty(),
                    message,
                }
            }
            (b"skipped", Some(Element::Case(_))) => {
                if let Some(Element::Case(case)) = self.open.last_mut()
                    && case.outcome == Outcome::Passed
                {
                    case.outcome = Outcome::Skipped;
                }
                Element::Other
            }
            _ => Element::Other,
        };
        self.has_root = true;
        self.open.push(element);
        Ok(())
    }

    fn suite(&self, element: &BytesStart<'_>) -> Result<Suite, Fault> {
        let count = |name| -> Result<u64, Fault> {
            let value = attribute(element, name)?;
            Ok(value.and_then(|it| it.trim().parse().ok()).unwrap_or(0))
        };
        Ok(Suite {
            name: attribute(element, "name")?.unwrap_or_default(),
            counted: count("failures")?.saturating_add(count("errors")?),
            before: self.failed,
        })
    }

    fn case(&self, element: &BytesStart<'_>) -> Result<Case, Fault> {
        let suite = self.open.iter().rev().find_map(|one| match one {
            Element::Suite(suite) => Some(suite.name.clone()),
            _ => None,
        });
        let parts = [
            suite.unwrap_or_default(),
            attribute(element, "classname")?.unwrap_or_default(),
            attribute(element, "name")?.unwrap_or_default(),
        ];
        Ok(Case {
            test: test(&parts),
            outcome: Outcome::Passed,
            message: String::new(),
        })
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some(Element::Case(case)) => self.take(case),
            Some(Element::Failure { message, .. }) => {
                if let Some(Element::Case(case)) = self.open.last_mut() {
                    // The first of several is where it began.
                    if case.outcome != Outcome::Failed {
                        case.message = clean(&message, MESSAGE);
                    }
                    case.outcome = Outcome::Failed;
                }
            }
            Some(Element::Suites(suite) | Element::Suite(suite))
                if suite.counted > 0 && self.failed == suite.before =>
            {
                let count = suite.counted;
                self.take(Case {
                    test: test(&[suite.name, "(suite)".to_owned()]),
                    outcome: Outcome::Failed,
                    message: format!("it counts {count} failures, and none of its cases failed"),
                });
            }
            _ => {}
        }
    }

    fn take(&mut self, case: Case) {
        self.failed += usize::from(case.outcome == Outcome::Failed);
        self.cases.push(case);
    }

    /// The text of a failure without a message is its message.
    fn text(&mut self, bytes: &[u8]) {
        if let Some(Element::Failure { message, is_told }) = self.open.last_mut()
            && !*is_told
            && message.len() < TEXT
        {
            let some = &bytes[..bytes.len().min(TEXT)];
            message.push_str(&String::from_utf8_lossy(some));
        }
    }
}

/// What a test is called: its suite, class and name, without what is missing or said before.
fn test(parts: &[String]) -> String {
    let mut said: Vec<String> = Vec::new();
    for part in parts {
        let part = clean(part, NAME);
        if !part.is_empty() && said.last() != Some(&part) {
            said.push(part);
        }
    }
    if said.is_empty() {
        return "(without a name)".to_owned();
    }
    said.join(" › ")
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, Fault> {
    let wrong = |error: &dyn ToString| {
        Fault::Malformed(format!(
            "its attribute `{name}` cannot be read: {}",
            clean(&error.to_string(), MESSAGE)
        ))
    };
    let found = element
        .try_get_attribute(name)
        .map_err(|error| wrong(&error))?;
    let value = found.map(|it| {
        it.normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map(std::borrow::Cow::into_owned)
    });
    value.transpose().map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests;
