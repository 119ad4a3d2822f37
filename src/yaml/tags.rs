//! Tags: what says of what type a value is.

/// A tag, by what kubectl makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// `!`: text, unless it is `<<`.
    NonSpecific,
    Str,
    Bool,
    Int,
    Float,
    Null,
    Binary,
    Merge,
    /// Any other: a scalar is text, a list or a map what it is.
    Other,
}

impl Tag {
    /// What `!!` stands for.
    pub(super) const PREFIX: &str = "tag:yaml.org,2002:";

    /// The tag of a whole name.
    pub(super) fn named(name: &str) -> Self {
        match name.strip_prefix(Self::PREFIX) {
            Some("str") => Self::Str,
            Some("bool") => Self::Bool,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("null") => Self::Null,
            Some("binary") => Self::Binary,
            Some("merge") => Self::Merge,
            _ if name == "!" => Self::NonSpecific,
            _ => Self::Other,
        }
    }
}
