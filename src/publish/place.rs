//! Where a result is told.

use std::{fmt, str::FromStr};

use crate::inputs::List;

/// A place on GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The status of the commit.
    Status,
    /// A check run of the commit.
    Check,
    /// One comment on the pull request.
    Comment,
}

impl Place {
    const ALL: [Self; 3] = [Self::Status, Self::Check, Self::Comment];

    /// As an input names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Check => "check",
            Self::Comment => "comment",
        }
    }

    /// The permission of the token that it takes.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::Status => "statuses: write",
            Self::Check => "checks: write",
            Self::Comment => "pull-requests: write",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Some of them, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places(pub Vec<Place>);

impl FromStr for Places {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let List(names) = text.parse().unwrap_or_default();
        let known = |name: &String| {
            let found = Place::ALL.into_iter().find(|place| place.name() == name);
            let names = Place::ALL.map(Place::name).join(", ");
            found.ok_or_else(|| format!("`{name}` is none of {names}"))
        };
        let places: Vec<Place> = names.iter().map(known).collect::<Result<_, _>>()?;
        if places.is_empty() {
            return Err("it names no place".to_owned());
        }
        Ok(Self(places))
    }
}
