//! One object as a line of an inventory: `Deployment.apps sample/frontend 0123456789abcdef fedcba9876543210`.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::api::ObjectId;

/// What would end a word or a line: names of roles may hold blanks, and what the server would refuse is written down too.
const SEPARATORS: &AsciiSet = &CONTROLS.add(b' ').add(b'/').add(b'%');

/// What was sent of an object, and what the server made of it; both empty where that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Digest of the content.
    pub content: String,
    /// [`mark`](crate::deploy::apply::mark) of what the server noted as ours; of an object without fields, its unique id.
    pub mark: String,
}

/// Adds the line of an object.
pub(super) fn write(text: &mut String, id: &ObjectId, sent: &Sent) {
    let encoded = |text| utf8_percent_encode(text, SEPARATORS);
    let kind = id.group_kind();
    let kind = encoded(&kind);
    let namespace = encoded(id.namespace.as_deref().unwrap_or_default());
    let name = encoded(&id.name);
    write!(text, "{kind} {namespace}/{name}").expect("a String takes everything");
    if !sent.content.is_empty() && !sent.mark.is_empty() {
        let Sent { content, mark } = sent;
        write!(text, " {content} {mark}").expect("a String takes everything");
    }
    text.push('\n');
}

/// Reads a line.
pub(super) fn read(line: &str) -> Option<(ObjectId, Sent)> {
    let mut words = line.split(' ');
    let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let kind = decoded(words.next()?);
    let (kind, group) = kind.split_once('.')?;
    let (namespace, name) = words.next()?.split_once('/')?;
    if kind.is_empty() || name.is_empty() {
        return None;
    }
    let id = ObjectId {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: (!namespace.is_empty()).then(|| decoded(namespace)),
        name: decoded(name),
    };
    let sent = match (words.next(), words.next()) {
        (Some(content), Some(mark)) => Sent {
            content: content.to_owned(),
            mark: mark.to_owned(),
        },
        _ => Sent::default(),
    };
    Some((id, sent))
}
