//! Why an image cannot be pulled, by what the container runtime says.

use super::{Why, brief};

/// Why, and the words for it; `reason` is the kubelet's.
pub fn why(message: &str, reason: &str) -> (Why, String) {
    let plain = without_names(message).to_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| plain.contains(sign));
    // A number counts only where it stands alone: names, tags and digests hold any.
    let words: Vec<&str> = plain
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .collect();
    let is_word = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    let (why, said) = if reason == "InvalidImageName" || has(&["invalid reference format"]) {
        (Why::ImageName, "its name is not valid")
    } else if reason == "ErrImageNeverPull" {
        (
            Why::ImageNever,
            "it is not on the node, and is never pulled",
        )
    } else if has(&["toomanyrequests", "too many requests", "rate limit"]) || is_word(&["429"]) {
        (
            Why::RegistryLimits,
            "the registry limits the rate of pulls (429)",
        )
    } else if has(&[
        "no match for platform",
        "exec format",
        "no matching manifest",
    ]) {
        (Why::ImagePlatform, "there is none for this architecture")
    } else if has(&["no such host", "dial tcp: lookup", "server misbehaving"]) {
        (
            Why::RegistryUnknown,
            if has(&["no such host"]) {
                "the name of its registry does not resolve (no such host)"
            } else {
                "the name of its registry does not resolve"
            },
        )
    } else if has(&[
        "not found",
        "manifest unknown",
        "name unknown",
        "does not exist",
    ]) || is_word(&["notfound", "404"])
    {
        (Why::ImageGone, "not found")
    } else if has(&[
        "unauthorized",
        "authorization failed",
        "denied",
        "forbidden",
    ]) || is_word(&["401", "403"])
    {
        (Why::RegistryDenies, "the registry refuses access")
    } else if has(&[
        "connection refused",
        "connection reset",
        "i/o timeout",
        "dial tcp",
        "deadline exceeded",
        "network is unreachable",
        "x509",
    ]) || is_word(&["tls", "eof", "502", "503", "504"])
    {
        (Why::RegistryUnreachable, "the registry is out of reach")
    } else if message.is_empty() {
        return (Why::ImagePull, reason.to_owned());
    } else {
        return (Why::ImagePull, brief(last_parts(message)));
    };
    (why, said.to_owned())
}

/// The end of a chain of causes, which says what is wrong; what is before it names the image again and again.
fn last_parts(message: &str) -> &str {
    const PARTS: usize = 3;
    message
        .rmatch_indices(": ")
        .nth(PARTS - 1)
        .map_or(message, |(at, mark)| &message[at + mark.len()..])
}

/// A message without what is quoted and without URLs and digests: these are names, which may hold any word.
fn without_names(message: &str) -> String {
    let mut parts: Vec<&str> = message.split('"').collect();
    if parts.len() % 2 == 1 {
        parts = parts.into_iter().step_by(2).collect();
    }
    let words = parts.iter().flat_map(|part| part.split_whitespace());
    let is_name = |word: &&str| word.contains("://") || word.contains("sha256:");
    words
        .filter(|word| !is_name(word))
        .collect::<Vec<_>>()
        .join(" ")
}
