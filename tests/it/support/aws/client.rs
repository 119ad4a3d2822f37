//! The sandbox's cloud as it is, asked by boto3: not the way that the product takes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

/// A call of EC2 by the sandbox's own client, in us-east-1 or in `Region`.
pub(crate) fn cloud(call: &str, mut arguments: Value) -> Value {
    let region = arguments.as_object_mut().unwrap().remove("Region");
    let region = region.unwrap_or_else(|| json!("us-east-1"));
    let answer = Client::ask(&json!([call, arguments, region]));
    let [said, refused] = &answer;
    assert!(refused.is_null(), "{call}: {refused}");
    said.clone()
}

/// boto3 in a process of its own that answers line by line: started for each look it took a second of a core.
struct Client {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Client {
    /// An answer that is no XML is asked for again: the stand-in answers 500 where another request changes what it looks through.
    const PROGRAM: &str = "import boto3, botocore.parsers, functools, json, sys
client = functools.cache(lambda region: boto3.client('ec2', region_name=region))
for line in sys.stdin:
    call, arguments, region = json.loads(line)
    for _ in range(3):
        try:
            answer = [getattr(client(region), call)(**arguments), None]
        except botocore.parsers.ResponseParserError as error:
            answer = [None, str(error)]
            continue
        except Exception as error:
            answer = [None, str(error)]
        break
    print(json.dumps(answer, default=str), flush=True)";

    fn start() -> Self {
        let mut process = Command::new(python())
            .args(["-c", Self::PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, answers }
    }

    /// The answer and the error of a call, one of them null. A slow call holds nobody up: each caller has a client to itself.
    fn ask(call: &Value) -> [Value; 2] {
        static IDLE: Mutex<Vec<Client>> = Mutex::new(Vec::new());
        let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut client = taken.unwrap_or_else(Self::start);
        writeln!(client.process.stdin.as_mut().unwrap(), "{call}").unwrap();
        let mut line = String::new();
        client.answers.read_line(&mut line).unwrap();
        idle().push(client);
        serde_json::from_str(&line).unwrap()
    }
}

/// The sandbox's Python, which has boto3.
fn python() -> PathBuf {
    let cache = std::env::var_os("SANDBOX_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| {
        // Its programs are on PATH, beside the Python.
        let path = std::env::var_os("PATH")?;
        let beside =
            std::env::split_paths(&path).find(|dir| dir.join("../venv/bin/python").exists());
        beside.and_then(|dir| dir.parent().map(Path::to_owned))
    });
    cache
        .expect("e2e/sandbox/up puts its tools on PATH")
        .join("venv/bin/python")
}

/// A volume with the tags of a run, in us-east-1: the cheapest thing that teardown ends at once.
pub(crate) fn volume(tag: &str) -> String {
    volume_of(tag, "e2e")
}

pub(crate) fn volume_of(tag: &str, job: &str) -> String {
    let tags = json!([{"Key": "manifests-e2e/run", "Value": tag}, {"Key": "manifests-e2e/job", "Value": job}]);
    let specification = json!([{"ResourceType": "volume", "Tags": tags}]);
    let made = cloud(
        "create_volume",
        json!({"AvailabilityZone": "us-east-1a", "Size": 1, "TagSpecifications": specification}),
    );
    made["VolumeId"]
        .as_str()
        .expect("a volume has an id")
        .to_owned()
}
