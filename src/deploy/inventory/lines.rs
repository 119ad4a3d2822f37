//! One object as a line of an inventory: `Deployment.apps sample/frontend 0123456789abcdef fedcba9876543210`.

use std::fmt::Write as _;

use crate::api::ObjectId;

/// What was sent of an object, and what the server made of it; both empty where that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Digest of the content.
    pub content: String,
    /// [`mark`](crate::deploy::apply::mark) of what the server noted as ours; of an object without fields, its unique id.
    pub mark: String,
}

/// Adds the line of an object. No part of it can hold a blank, a slash or a line end: they are segments of paths.
pub(super) fn write(text: &mut String, id: &ObjectId, sent: &Sent) {
    let namespace = id.namespace.as_deref().unwrap_or_default();
    let (kind, name) = (id.group_kind(), &id.name);
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
    let (kind, group) = words.next()?.split_once('.')?;
    let (namespace, name) = words.next()?.split_once('/')?;
    if kind.is_empty() || name.is_empty() {
        return None;
    }
    let id = ObjectId {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        name: name.to_owned(),
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
