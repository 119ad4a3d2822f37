//! A layout as SVG.

use crate::set::{
    draw::{
        Hold,
        layout::{CAPTION, COLUMN, Group, HEAD, LEFT, LINE, Link, Picture, SHOWN, TOP, WIDTH},
    },
    objects::Object,
};

/// A line of a box holds so many characters.
const CHARACTERS: usize = 32;

const STYLE: &str = "\
text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#24292f}
.t{font-weight:bold;font-size:15px}
.p{font-weight:bold;fill:#57606a}
.l{font-weight:bold;font-size:13px}
.b{fill:#fff;stroke:#8c959f}
.k{font-weight:bold}
path{fill:none;stroke-opacity:.45}
.h{stroke:#24292f}
.s{stroke:#0969da;stroke-dasharray:5 3}
.w{stroke:#bc4c00;stroke-dasharray:1 4;stroke-linecap:round}
path:hover{stroke-opacity:1;stroke-width:4}
";

pub(super) fn draw(objects: &[Object], picture: &Picture) -> String {
    let (width, height) = (picture.width.max(900), picture.height);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{STYLE}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#f6f8fa\"/>\n\
         <text class=\"t\" x=\"{LEFT}\" y=\"24\">{} objects in {} phases: each needs only what is to its left</text>\n",
        objects.len(),
        picture.phases.len()
    );
    text.push_str(&legend());
    for (at, lane) in picture.lanes.iter().enumerate() {
        let name = lane.namespace.as_deref().unwrap_or("(the cluster)");
        let fill = if at % 2 == 0 { "#eaeef2" } else { "#f6f8fa" };
        text.extend([format!(
            "<rect x=\"0\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"{fill}\"/>\n\
             <text class=\"l\" x=\"{LEFT}\" y=\"{}\">{}</text>\n",
            lane.y,
            lane.height,
            lane.y + CAPTION - 8,
            escaped(name)
        )]);
    }
    for (phase, count) in picture.phases.iter().enumerate() {
        let x = LEFT + phase * COLUMN;
        let objects = if *count == 1 { "object" } else { "objects" };
        text.extend([format!(
            "<text class=\"p\" x=\"{x}\" y=\"{}\">phase {}: {count} {objects}</text>\n",
            TOP - 12,
            phase + 1
        )]);
    }
    for link in &picture.links {
        text.push_str(&arrow(link, &picture.groups));
    }
    for group in &picture.groups {
        text.push_str(&boxed(group, objects));
    }
    text.push_str("</svg>\n");
    text
}

fn legend() -> String {
    let mut text = String::new();
    for (at, (class, said)) in [
        ("h", "the server would refuse it earlier"),
        ("s", "it would come up wrong or late"),
        ("w", "it serves the webhook"),
    ]
    .into_iter()
    .enumerate()
    {
        let x = LEFT + at * 290;
        text.extend([format!(
            "<path class=\"{class}\" stroke-width=\"2\" d=\"M{x} 44h36\"/><text x=\"{}\" y=\"48\">{said}</text>\n",
            x + 44
        )]);
    }
    text
}

fn boxed(group: &Group, objects: &[Object]) -> String {
    let (x, y) = (group.x, group.y);
    let (kind, api) = &group.kind;
    let names: Vec<&str> = group
        .members
        .iter()
        .map(|at| objects[*at].id.name.as_str())
        .collect();
    let title = if names.len() == 1 {
        kind.clone()
    } else {
        format!("{kind} × {}", names.len())
    };
    let place = group.namespace.as_deref().unwrap_or("the cluster");
    let api = if api.is_empty() { "v1" } else { api };
    let mut text = format!(
        "<g><title>{} ({}) in {}\n{}</title><rect class=\"b\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{}\" rx=\"4\"/>\
         <rect x=\"{x}\" y=\"{y}\" width=\"5\" height=\"{}\" fill=\"hsl({},60%,50%)\"/>\
         <text class=\"k\" x=\"{}\" y=\"{}\">{}</text>",
        escaped(kind),
        escaped(api),
        escaped(place),
        escaped(&names.join("\n")),
        group.height,
        group.height,
        hue(kind),
        x + 12,
        y + 15,
        escaped(&cut(&title))
    );
    let shown = names.iter().take(SHOWN).map(|name| cut(name));
    let more = names.len().saturating_sub(SHOWN);
    let rest = (more > 0).then(|| format!("… and {more} more"));
    for (line, name) in shown.chain(rest).enumerate() {
        text.extend([format!(
            "<text x=\"{}\" y=\"{}\">{}</text>",
            x + 12,
            y + HEAD + line * LINE + 11,
            escaped(&name)
        )]);
    }
    text.push_str("</g>\n");
    text
}

fn arrow(link: &Link, groups: &[Group]) -> String {
    let (first, then) = (&groups[link.first], &groups[link.then]);
    let (x1, y1) = (first.x + WIDTH, first.y + first.height / 2);
    let (x2, y2) = (then.x, then.y + then.height / 2);
    let bend = (x2.abs_diff(x1) / 2).clamp(40, 160);
    let class = match link.hold {
        Hold::Hard => "h",
        Hold::Soft => "s",
        Hold::Serves => "w",
    };
    // More edges, a thicker line.
    let width = 1 + link.count.ilog10() + u32::from(link.hold == Hold::Serves);
    format!(
        "<path class=\"{class}\" stroke-width=\"{width}\" d=\"M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}\"><title>{} → {} ({})</title></path>\n",
        x1 + bend,
        x2.saturating_sub(bend),
        escaped(&named(first)),
        escaped(&named(then)),
        link.count
    )
}

fn named(group: &Group) -> String {
    match &group.namespace {
        Some(namespace) => format!("{} in {namespace}", group.kind.0),
        None => group.kind.0.clone(),
    }
}

/// A colour for each kind, the same in every picture.
fn hue(kind: &str) -> u32 {
    let sum = kind.bytes().fold(7_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    sum % 360
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CHARACTERS {
        return text.to_owned();
    }
    let start: String = text.chars().take(CHARACTERS - 1).collect();
    format!("{start}…")
}

/// Text that means itself, also where XML allows a character not at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('�'),
            c => escaped.push(c),
        }
    }
    escaped
}
