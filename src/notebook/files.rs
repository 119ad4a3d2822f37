//! What every test is made of, wherever it runs: its files and its name.

use super::source::{Kind, Source};
use crate::run::{Run, resource_name, short_hash};

/// The files of a test. `requirements` are lines for pip.
pub(super) fn all(source: &Source, requirements: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("start.sh".to_owned(), include_bytes!("start.sh").to_vec())];
    if source.kind == Kind::Notebook {
        files.push(("driver.py".to_owned(), include_bytes!("driver.py").to_vec()));
        files.push(("cells.py".to_owned(), include_bytes!("cells.py").to_vec()));
    }
    if !requirements.is_empty() {
        let lines = requirements.join("\n") + "\n";
        files.push(("requirements.txt".to_owned(), lines.into_bytes()));
    }
    files.extend(source.files.iter().cloned());
    files
}

/// A name of this run that no other test has, of at most 52 characters: the Job controller appends six for the pod, and a
/// label has 63.
pub(super) fn name(run: &Run, source: &Source) -> String {
    let whose = short_hash(&format!("{}/{}", run.id, run.job));
    let random = format!("{:06x}", rand::random::<u32>() & 0xff_ffff);
    resource_name(&[&source.name, &whose, &random], 52)
}
