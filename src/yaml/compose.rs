//! From events to what a document holds: lists and maps, anchors and aliases, merge keys. A key that is repeated is refused.

use std::borrow::Cow;

use libyaml_safer::{EventData, ScalarStyle};
use serde_json::{Map, Value};

use super::{DEEPEST, Fault, events::Events, scalars::Scalar, tags::Tag};

mod aliases;
mod maps;

use aliases::{Aliases, Anchored};

/// A value as it is known while it may still be a key.
#[derive(Clone, Debug)]
enum Node {
    Scalar(Scalar<'static>),
    List(Vec<Value>),
    Map(Map<String, Value>),
}

impl Node {
    fn value(self) -> Result<Value, String> {
        match self {
            Node::Scalar(scalar) => scalar.value(),
            Node::List(items) => Ok(Value::Array(items)),
            Node::Map(map) => Ok(Value::Object(map)),
        }
    }
}

/// A value, and what matters of how it was written.
#[derive(Debug)]
struct Composed {
    node: Node,
    line: usize,
    /// How many lists and maps are within each other.
    height: usize,
    /// It is `<<`.
    is_merge: bool,
    /// An alias stands there for it.
    is_alias: bool,
}

/// Reads one document.
#[derive(Debug)]
pub(super) struct Composer<'a> {
    events: Events<'a>,
    aliases: Aliases,
    /// Lists and maps around.
    depth: usize,
    /// What is wrong that does not keep the rest from being read.
    faults: Vec<Fault>,
}

/// Whether a text holds no more than comments and white space.
pub(super) fn is_empty(text: &str) -> bool {
    let mut events = Events::new(text, 1);
    let first = events.next().and_then(|_| events.next());
    matches!(first, Ok((EventData::StreamEnd, _)))
}

impl<'a> Composer<'a> {
    /// For the text of a document, whose first line has this number.
    pub(super) fn new(text: &'a str, line: usize) -> Self {
        Self {
            events: Events::new(text, line),
            aliases: Aliases::default(),
            depth: 0,
            faults: Vec::new(),
        }
    }

    /// The document.
    ///
    /// # Errors
    /// All that is wrong with it, up to where it cannot be read further.
    pub(super) fn document(mut self) -> Result<Value, Vec<Fault>> {
        match self.root() {
            Ok(value) if self.faults.is_empty() => Ok(value),
            Ok(_) => Err(self.faults),
            Err(fault) => {
                self.faults.push(fault);
                Err(self.faults)
            }
        }
    }

    /// What the document seems to hold, where that can be told.
    pub(super) fn outline(mut self) -> Option<Value> {
        self.root().ok()
    }

    fn root(&mut self) -> Result<Value, Fault> {
        self.events.next()?;
        if let (EventData::StreamEnd, _) = self.events.next()? {
            return Ok(Value::Null);
        }
        let composed = self.node()?;
        let value = self.value(composed);
        self.events.next()?;
        let line = match self.events.next() {
            Ok((EventData::StreamEnd, _)) => return Ok(value),
            Ok((_, line)) => line,
            Err(fault) => fault.line,
        };
        Err(Fault::new(
            line,
            "more stands behind the end of the document, which kubectl would drop: begin a document with `---`",
        ))
    }

    /// The value of what was read; what JSON does not have is noted.
    fn value(&mut self, composed: Composed) -> Value {
        let line = composed.line;
        composed.node.value().unwrap_or_else(|reason| {
            self.faults.push(Fault::new(line, reason));
            Value::Null
        })
    }

    fn node(&mut self) -> Result<Composed, Fault> {
        let (event, line) = self.events.next()?;
        self.node_of(event, line)
    }

    /// The value that begins with an event.
    fn node_of(&mut self, event: EventData, line: usize) -> Result<Composed, Fault> {
        self.aliases.count();
        let anchor = match &event {
            EventData::Alias { anchor } => return self.alias(anchor, line),
            EventData::Scalar { anchor, .. }
            | EventData::SequenceStart { anchor, .. }
            | EventData::MappingStart { anchor, .. } => anchor.clone(),
            _ => None,
        };
        let before = self.aliases.begin(anchor.as_deref());
        let composed = match event {
            EventData::Scalar {
                tag, value, style, ..
            } => {
                let tag = tag.map(|tag| Tag::named(&tag));
                scalar(value, style == ScalarStyle::Plain, line, tag)?
            }
            EventData::SequenceStart { .. } => self.collection(line, Self::list)?,
            EventData::MappingStart { .. } => self.collection(line, Self::map)?,
            _ => return Err(Fault::new(line, "a value is missing here")),
        };
        if let Some(name) = anchor {
            self.aliases
                .end(name, before, &composed.node, composed.height);
        }
        Ok(composed)
    }

    fn alias(&mut self, name: &str, line: usize) -> Result<Composed, Fault> {
        let Anchored { node, height } = self
            .aliases
            .expand(name)
            .map_err(|reason| Fault::new(line, reason))?;
        if self.depth + height > DEEPEST {
            return Err(Fault::too_deep(line));
        }
        Ok(Composed {
            node,
            line,
            height,
            is_merge: false,
            is_alias: true,
        })
    }

    /// A list or a map, whose first event was taken.
    fn collection(
        &mut self,
        line: usize,
        read: impl FnOnce(&mut Self) -> Result<(Node, usize), Fault>,
    ) -> Result<Composed, Fault> {
        if self.depth == DEEPEST {
            return Err(Fault::too_deep(line));
        }
        self.depth += 1;
        let (node, inner) = read(self)?;
        self.depth -= 1;
        Ok(Composed {
            node,
            line,
            height: inner + 1,
            is_merge: false,
            is_alias: false,
        })
    }

    fn list(&mut self) -> Result<(Node, usize), Fault> {
        let (mut items, mut height) = (Vec::new(), 0);
        loop {
            let (event, line) = self.events.next()?;
            if event == EventData::SequenceEnd {
                return Ok((Node::List(items), height));
            }
            let item = self.node_of(event, line)?;
            height = height.max(item.height);
            items.push(self.value(item));
        }
    }
}

fn scalar(text: String, plain: bool, line: usize, tag: Option<Tag>) -> Result<Composed, Fault> {
    let as_merge = match tag {
        None => plain,
        Some(tag) => matches!(tag, Tag::Merge | Tag::NonSpecific),
    };
    let is_merge = as_merge && text == "<<";
    let scalar =
        Scalar::resolve(Cow::Owned(text), plain, tag).map_err(|reason| Fault::new(line, reason))?;
    Ok(Composed {
        node: Node::Scalar(scalar),
        line,
        height: 0,
        is_merge,
        is_alias: false,
    })
}
