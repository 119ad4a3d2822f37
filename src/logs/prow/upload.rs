//! What goes to a bucket, and under which keys.
//!
//! All of it is without secrets: the page and the bundle are, and what stands beside them is taken out of the bundle.

use std::{fs::File, io::Read as _, path::Path};

use jiff::Timestamp;
use serde_json::Value;
use zip::ZipArchive;

use super::Build;
use crate::{
    cli::Layout,
    logs::{
        gather::{Gathered, PODINFO},
        s3::{Content, Upload},
        verdict::State,
    },
    progress::LOG,
    record::Record,
};

/// What the page is made of, in the bundle and beside it: a later run compares itself with it.
pub(super) const REPORT: &str = "report.json";

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const XML: &str = "application/xml";

/// Bundle and page right below the prefix.
pub fn flat(gathered: &Gathered) -> Vec<Upload> {
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    [
        (&gathered.bundle, "application/zip"),
        (&gathered.page, HTML),
    ]
    .into_iter()
    .map(|(path, content_type)| Upload {
        key: name(path),
        content: Content::File(path.clone()),
        content_type,
    })
    .collect()
}

impl Build {
    /// What says that this build has begun: nothing else is known yet.
    pub fn announcement(&self, layout: Layout, record: &Record) -> Vec<Upload> {
        let directory = self.directory(layout);
        vec![
            json(format!("{directory}/started.json"), &self.started(record)),
            json(
                format!("{directory}/prowjob.json"),
                &self.prowjob(record, None),
            ),
        ]
    }

    /// The directory of this build, the bundle first, and last what leads to it. `root` is the bucket and prefix,
    /// `s3://bucket/prefix`.
    ///
    /// # Errors
    /// Why the bundle cannot be read.
    pub fn results(
        &self,
        layout: Layout,
        record: &Record,
        gathered: &Gathered,
        root: &str,
    ) -> Result<Vec<Upload>, zip::result::ZipError> {
        let directory = self.directory(layout);
        let now = Timestamp::now();
        let report = &gathered.report;
        let mut uploads = vec![
            Upload {
                key: format!("{directory}/artifacts/bundle.zip"),
                content: Content::File(gathered.bundle.clone()),
                content_type: "application/zip",
            },
            Upload {
                key: format!("{directory}/artifacts/report.html"),
                content: Content::File(gathered.page.clone()),
                content_type: HTML,
            },
        ];
        uploads.extend(out_of_bundle(&directory, &gathered.bundle)?);
        uploads.push(json(
            format!("{directory}/started.json"),
            &self.started(record),
        ));
        uploads.push(json(
            format!("{directory}/prowjob.json"),
            &self.prowjob(record, Some((report, now))),
        ));
        // Whoever finds this file takes the build for whole.
        uploads.push(json(
            format!("{directory}/finished.json"),
            &self.finished(report, now),
        ));
        let mut pointers = self.pointers(layout, root);
        if report.state == Some(State::Success) {
            pointers.push((self.note(), self.directory(layout)));
        }
        uploads.extend(pointers.into_iter().map(|(key, text)| Upload {
            key,
            content: Content::Bytes(text.into_bytes()),
            content_type: TEXT,
        }));
        Ok(uploads)
    }
}

/// What readers want loose: logs, JUnit, the pod.
fn out_of_bundle(directory: &str, bundle: &Path) -> Result<Vec<Upload>, zip::result::ZipError> {
    let mut archive = ZipArchive::new(File::open(bundle)?)?;
    let mut uploads = Vec::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at)?;
        let Some((key, content_type)) = loose(&file.name()?) else {
            continue;
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        uploads.push(Upload {
            key: format!("{directory}/{key}"),
            content: Content::Bytes(bytes),
            content_type,
        });
    }
    Ok(uploads)
}

/// Where a file of the bundle lies loose, and what it is; nothing for the thousands that stay in the bundle.
fn loose(name: &str) -> Option<(String, &'static str)> {
    if name == PODINFO {
        return Some((name.to_owned(), JSON));
    }
    if name == REPORT {
        return Some((format!("artifacts/{name}"), JSON));
    }
    let artifact = name.strip_prefix("artifacts/")?;
    if artifact == LOG {
        return Some(("build-log.txt".to_owned(), TEXT));
    }
    let report = artifact.strip_suffix(".xml")?;
    let report = report.strip_suffix("/junit").unwrap_or(report);
    let report = report.replace('/', "_");
    // Prow's readers look for JUnit by this name.
    let report = report.strip_prefix("junit_").unwrap_or(&report);
    Some((format!("artifacts/junit_{report}.xml"), XML))
}

fn json(key: String, value: &Value) -> Upload {
    Upload {
        key,
        content: Content::Bytes(value.to_string().into_bytes()),
        content_type: JSON,
    }
}
