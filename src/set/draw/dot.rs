//! Every object and every edge, as Graphviz reads them.

use std::collections::BTreeMap;

use crate::set::{
    draw::{Hold, edges},
    objects::Object,
    order::Graph,
};

pub(super) fn draw(objects: &[Object], graph: &Graph) -> String {
    let mut text = String::from(
        "// An arrow leads from what goes first. Solid: the server would refuse the other earlier. Dashed: it would come up\n\
         // wrong or late. Dotted: it serves the webhook.\n\
         digraph deployment {\n  rankdir=LR;\n  node [shape=box, fontsize=9];\n",
    );
    let mut namespaces: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (at, object) in objects.iter().enumerate() {
        let namespace = object.id.namespace.as_deref();
        namespaces.entry(namespace).or_default().push(at);
    }
    for (namespace, members) in namespaces {
        if let Some(namespace) = namespace {
            let (id, label) = (quoted(&format!("cluster_{namespace}")), quoted(namespace));
            text.extend([format!("  subgraph {id} {{\n    label={label};\n")]);
        }
        for at in members {
            let id = &objects[at].id;
            let label = quoted(&format!("{}\n{}", id.kind, id.name));
            text.extend([format!("    {} [label={label}];\n", node(&objects[at]))]);
        }
        text.push_str(if namespace.is_some() { "  }\n" } else { "" });
    }
    for at in 0..objects.len() {
        for need in edges(graph, at) {
            let style = match Hold::of(need) {
                Hold::Hard => "solid",
                Hold::Soft => "dashed",
                Hold::Serves => "dotted",
            };
            let (first, then) = (node(&objects[need.on]), node(&objects[at]));
            let why = format!("{:?}", need.why);
            text.extend([format!(
                "  {first} -> {then} [style={style}, tooltip={}];\n",
                quoted(&why)
            )]);
        }
    }
    for (at, need) in &graph.dropped {
        let (first, then) = (node(&objects[need.on]), node(&objects[*at]));
        text.extend([format!(
            "  // given up to break a circle: {first} -> {then}\n"
        )]);
    }
    text.push_str("}\n");
    text
}

fn node(object: &Object) -> String {
    let id = &object.id;
    let dot = if id.group.is_empty() { "" } else { "." };
    let namespace = id.namespace.as_deref().unwrap_or_default();
    let slash = if namespace.is_empty() { "" } else { "/" };
    quoted(&format!(
        "{}{dot}{} {namespace}{slash}{}",
        id.kind, id.group, id.name
    ))
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace(['\r', '\n'], "\\n"))
}
