//! The dependency graph as a picture: DOT for tools, SVG for people.
//!
//! Given a set and its graph. The DOT has every object and every edge. The SVG puts objects of one phase, namespace and kind
//! into one box (with all their names as its tooltip) and leaves out edges that follow from others, so that hundreds of
//! objects can be read. No script, no fonts, nothing fetched.

mod dot;
mod layout;
mod svg;

use std::path::Path;

use crate::{
    report::BadInput,
    set::{
        objects::Object,
        order::{EdgeReason, Graph, Need, Strength},
    },
};

/// What a picture is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For Graphviz and its kin.
    Dot,
    /// For browsers.
    Svg,
}

impl Form {
    /// As the name of the file ends.
    ///
    /// # Errors
    /// [`BadInput`] for any other ending.
    pub fn of(file: &Path) -> Result<Self, BadInput> {
        match file.extension().and_then(|end| end.to_str()) {
            Some("dot" | "gv") => Ok(Self::Dot),
            Some("svg") => Ok(Self::Svg),
            _ => Err(BadInput {
                input: "graph",
                reason: format!("`{}` ends neither in .svg nor in .dot", file.display()),
                remedy: Some("name a file such as graph.svg or graph.dot".to_owned()),
            }),
        }
    }
}

/// The picture of a set's graph.
pub fn draw(objects: &[Object], graph: &Graph, form: Form) -> String {
    match form {
        Form::Dot => dot::draw(objects, graph),
        Form::Svg => svg::draw(objects, &layout::lay_out(objects, graph)),
    }
}

/// How an edge holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// The server would refuse it earlier.
    Hard,
    /// It would come up wrong or late.
    Soft,
    /// What serves a webhook: the webhook cannot answer earlier.
    Serves,
}

impl Hold {
    fn of(need: &Need) -> Self {
        match (need.why, need.strength) {
            (EdgeReason::Backing, _) => Self::Serves,
            (_, Strength::Hard) => Self::Hard,
            (_, Strength::Soft) => Self::Soft,
        }
    }
}

/// What one object is drawn behind.
fn edges(graph: &Graph, at: usize) -> impl Iterator<Item = &Need> {
    let explains = graph.explains[at].iter();
    let serving = explains.filter(|need| need.why == EdgeReason::Backing);
    graph.needs[at].iter().chain(serving)
}

#[cfg(test)]
mod tests;
