//! How long pods had to wait for their CPU, as the kernel counts it in the `cpu.stat` of their cgroups.

use std::collections::BTreeMap;

/// Periods from which on a share is told.
const FEW: u64 = 100;

/// What is known, by the pods' UIDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuStats {
    /// The file that tells it.
    pub file: String,
    pods: BTreeMap<String, (u64, u64)>,
}

impl CpuStats {
    /// Whether a file of a bundle tells it.
    pub fn is_in(file: &str) -> bool {
        file.ends_with("host/cpu-stat.txt")
    }

    /// Reads a file of a bundle, where it is that one.
    pub fn read(file: &str, bytes: &[u8]) -> Option<Self> {
        Self::is_in(file).then(|| Self::of(file, &String::from_utf8_lossy(bytes)))
    }

    /// Reads `== <path of a cgroup>`, each with the lines of its `cpu.stat` after it. Of a pod and its containers that one counts
    /// which was held back most.
    pub fn of(file: &str, text: &str) -> Self {
        let mut pods: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for part in text.split("== ").skip(1) {
            let (path, counts) = part.split_once('\n').unwrap_or((part, ""));
            let number = |name: &str| -> u64 {
                let line = counts.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|it| it.trim().parse().ok()).unwrap_or(0)
            };
            let (periods, throttled) = (number("nr_periods "), number("nr_throttled "));
            if let Some(uid) = uid(path)
                && periods >= FEW
            {
                let worst = pods.entry(uid).or_insert((1, 0));
                if throttled * worst.0 > worst.1 * periods {
                    *worst = (periods, throttled);
                }
            }
        }
        Self {
            file: file.to_owned(),
            pods,
        }
    }

    /// In how many of a hundred periods a pod had to wait.
    pub fn waits(&self, uid: &str) -> Option<u64> {
        let (periods, throttled) = self.pods.get(uid)?;
        Some(throttled * 100 / periods)
    }
}

/// The UID in the path of a pod's cgroup; systemd's slices have `_` for `-`.
fn uid(path: &str) -> Option<String> {
    path.split('/').rev().find_map(|part| {
        let (_, uid) = part.rsplit_once("pod")?;
        let uid = uid.trim_end_matches(".slice").replace('_', "-");
        (uid.len() >= 32).then_some(uid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_cgroup_of_a_pod_counts() {
        let text = "== ./kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod01234567_89ab_cdef_0123_456789abcdef.slice/cpu.stat\n\
            nr_periods 0\nnr_throttled 0\n\
            == ./kubelet.slice/kubelet-kubepods-pod01234567_89ab_cdef_0123_456789abcdef.slice/cri-containerd-a.scope/cpu.stat\n\
            nr_periods 1000\nnr_throttled 900\nthrottled_usec 5\n\
            == ./kubepods/pod11111111-1111-1111-1111-111111111111/cpu.stat\nnr_periods 50\nnr_throttled 50\n";
        let stats = CpuStats::of("host/cpu-stat.txt", text);
        assert_eq!(
            stats.waits("01234567-89ab-cdef-0123-456789abcdef"),
            Some(90)
        );
        assert_eq!(stats.waits("11111111-1111-1111-1111-111111111111"), None);
    }
}
