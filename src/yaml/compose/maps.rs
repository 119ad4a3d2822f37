//! Maps: their keys, and what `<<` merges into them.

use std::collections::HashMap;

use libyaml_safer::EventData;
use serde_json::{Map, Value};

use super::{Composed, Composer, Fault, Node};

/// A map that is being read.
#[derive(Default)]
struct Reading {
    map: Map<String, Value>,
    /// The keys that are written in it, and their lines; those that `<<` brings are not among them.
    written: HashMap<String, usize>,
    height: usize,
}

impl Composer<'_> {
    pub(super) fn map(&mut self) -> Result<(Node, usize), Fault> {
        let mut reading = Reading::default();
        loop {
            let (event, line) = self.events.next()?;
            if event == EventData::MappingEnd {
                return Ok((Node::Map(reading.map), reading.height));
            }
            let key = self.node_of(event, line)?;
            let value = self.node()?;
            self.insert(&mut reading, key, value)?;
        }
    }

    /// Puts a key into a map. What is wrong with it does not keep the rest from being read.
    fn insert(
        &mut self,
        reading: &mut Reading,
        key: Composed,
        value: Composed,
    ) -> Result<(), Fault> {
        let line = key.line;
        if key.is_merge {
            return if merge(reading, value) {
                Ok(())
            } else {
                Err(Fault::new(line, "`<<` needs a map, or a list of maps"))
            };
        }
        reading.height = reading.height.max(value.height);
        let value = self.value(value);
        let name = match key.node {
            Node::Scalar(scalar) => scalar.key(),
            _ => Err("a list or a map cannot be a key".to_owned()),
        };
        let name = match name {
            Ok(name) => name.into_owned(),
            Err(reason) => {
                self.faults.push(Fault::new(line, reason));
                return Ok(());
            }
        };
        reading.map.insert(name.clone(), value);
        if let Some(first) = reading.written.get(&name) {
            let reason = format!("the key `{name}` is there already, in line {first}");
            self.faults.push(Fault::new(line, reason));
            return Ok(());
        }
        reading.written.insert(name, line);
        Ok(())
    }
}

/// Takes over the keys of a map, or of maps of which the first has precedence. As in kubectl's parser, they replace keys that
/// stand before the `<<`.
fn merge(reading: &mut Reading, value: Composed) -> bool {
    reading.height = reading.height.max(value.height);
    match value.node {
        Node::Map(map) => reading.map.extend(map),
        Node::List(maps) if !value.is_alias => {
            for map in maps.into_iter().rev() {
                let Value::Object(map) = map else {
                    return false;
                };
                reading.map.extend(map);
            }
        }
        _ => return false,
    }
    true
}
