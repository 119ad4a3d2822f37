//! What is to be forwarded, in the words of `kubectl port-forward`, and how the test finds it: pure.

use std::{fmt, str::FromStr};

use crate::inputs::Lines;

/// What is forwarded to, one a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwards(pub(super) Vec<Forward>);

/// One line: `svc/ml-pipeline-ui -n kubeflow 3000:80`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forward {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// The port here, 0 where the system chooses it, and the port there.
    pub(super) ports: Vec<(u16, Remote)>,
}

/// What leads to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Service,
    Deployment,
    Pod,
}

/// A port in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remote {
    Number(u16),
    Name(String),
}

impl FromStr for Forwards {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Lines(lines) = text.parse().unwrap_or_default();
        let forwards = lines.iter().map(|line| {
            forward(line).map_err(|reason| {
                format!("`{line}`: {reason}; write for example `svc/NAME -n NAMESPACE 8080:80`")
            })
        });
        let forwards: Vec<Forward> = forwards.collect::<Result<_, _>>()?;
        let mut variables: Vec<String> = forwards.iter().flat_map(Forward::variables).collect();
        variables.sort();
        match variables.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!(
                "two ports would be told in the one variable {}",
                pair[0]
            )),
            None => Ok(Self(forwards)),
        }
    }
}

fn forward(line: &str) -> Result<Forward, String> {
    let mut words = line.split_whitespace();
    let (mut place, mut namespace, mut ports) = (None, None, Vec::new());
    while let Some(word) = words.next() {
        if matches!(word, "-n" | "--namespace") {
            namespace = Some(words.next().ok_or("the namespace is missing")?.to_owned());
        } else if let Some(given) = word
            .strip_prefix("--namespace=")
            .or_else(|| word.strip_prefix("-n="))
        {
            namespace = Some(given.to_owned());
        } else if word.starts_with('-') {
            return Err(format!("`{word}` is not known here"));
        } else if place.is_none() {
            place = Some(resource(word)?);
        } else {
            ports.push(port(word)?);
        }
    }
    let (kind, name) = place.ok_or("it names nothing")?;
    for label in [Some(&name), namespace.as_ref()].into_iter().flatten() {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if label.is_empty() || !label.chars().all(fits) {
            return Err(format!("`{label}` is no name"));
        }
    }
    if ports.is_empty() {
        return Err("the port is missing".to_owned());
    }
    Ok(Forward {
        kind,
        name,
        namespace,
        ports,
    })
}

fn resource(word: &str) -> Result<(Kind, String), String> {
    let Some((kind, name)) = word.split_once('/') else {
        return Ok((Kind::Pod, word.to_owned()));
    };
    let kind = match kind {
        "svc" | "service" | "services" => Kind::Service,
        "deploy" | "deployment" | "deployments" => Kind::Deployment,
        "po" | "pod" | "pods" => Kind::Pod,
        other => return Err(format!("`{other}` is neither svc, deploy nor pod")),
    };
    Ok((kind, name.to_owned()))
}

/// `8080:80`, `:80` for a port that the system chooses, `8080` for the same port on both sides.
fn port(word: &str) -> Result<(u16, Remote), String> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number > 0);
    let (local, remote) = word.split_once(':').unwrap_or((word, word));
    let is_name = |text: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        text.chars().all(fits) && text.contains(|c: char| c.is_ascii_lowercase())
    };
    let wrong = || format!("`{word}` is no port");
    let remote = match number(remote) {
        Some(number) => Remote::Number(number),
        None if word.contains(':') && is_name(remote) => Remote::Name(remote.to_owned()),
        None => return Err(wrong()),
    };
    let local = if local.is_empty() {
        0
    } else {
        number(local).ok_or_else(wrong)?
    };
    Ok((local, remote))
}

impl Forward {
    /// The variable with the first port of it: `ML_PIPELINE_UI_PORT`.
    pub(super) fn variable(&self) -> String {
        format!("{}_PORT", capitals(&self.name))
    }

    /// The variable with this port of it: `ML_PIPELINE_UI_PORT_80`.
    pub(super) fn variable_of(&self, remote: &Remote) -> String {
        format!("{}_{}", self.variable(), capitals(&remote.to_string()))
    }

    fn variables(&self) -> Vec<String> {
        let each = self
            .ports
            .iter()
            .map(|(_, remote)| self.variable_of(remote));
        each.chain([self.variable()]).collect()
    }
}

fn capitals(name: &str) -> String {
    name.to_ascii_uppercase().replace(['-', '.'], "_")
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Service => "svc",
            Kind::Deployment => "deploy",
            Kind::Pod => "pod",
        };
        write!(f, "{kind}/{}", self.name)
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Forward>, String> {
        text.parse::<Forwards>().map(|it| it.0)
    }

    #[test]
    fn the_words_are_those_of_kubectl() {
        let found = read(
            "svc/a -n x 3000:80 :http\n# a comment\n-n=y deployment/b 8080\npod/c --namespace z 1:2\nd :1\n",
        );
        let number = Remote::Number;
        let forward = |kind, name: &str, namespace: Option<&str>, ports| Forward {
            kind,
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            ports,
        };
        let http = Remote::Name("http".to_owned());
        let wanted = [
            forward(
                Kind::Service,
                "a",
                Some("x"),
                vec![(3000, number(80)), (0, http)],
            ),
            forward(Kind::Deployment, "b", Some("y"), vec![(8080, number(8080))]),
            forward(Kind::Pod, "c", Some("z"), vec![(1, number(2))]),
            forward(Kind::Pod, "d", None, vec![(0, number(1))]),
        ];
        assert_eq!(found.unwrap(), wanted);
    }

    #[test]
    fn what_says_no_port_is_refused_with_the_reason() {
        for (line, reason) in [
            ("svc/a", "the port is missing"),
            ("-n x", "it names nothing"),
            ("svc/a -n", "the namespace is missing"),
            ("svc/a http", "`http` is no port"),
            ("svc/a 70000:80", "`70000:80` is no port"),
            ("svc/a 0:80", "`0:80` is no port"),
            ("svc/a 80: ", "`80:` is no port"),
            ("job/a 80", "`job` is neither"),
            ("svc/A 80", "`A` is no name"),
            (
                "svc/a --address 0.0.0.0 80",
                "`--address` is not known here",
            ),
            ("svc/a -n x :80\nsvc/a -n y :80", "the one variable A_PORT"),
            ("svc/a :80 8080:80", "the one variable A_PORT_80"),
        ] {
            let refused = read(line).unwrap_err();
            assert!(refused.contains(reason), "{line}: {refused}");
        }
    }

    #[test]
    fn a_test_finds_its_port_by_the_name() {
        let found = read("svc/ml-pipeline-ui 3000:80 :http-x").unwrap();
        let wanted = [
            "ML_PIPELINE_UI_PORT_80",
            "ML_PIPELINE_UI_PORT_HTTP_X",
            "ML_PIPELINE_UI_PORT",
        ];
        assert_eq!(found[0].variables(), wanted);
    }
}
