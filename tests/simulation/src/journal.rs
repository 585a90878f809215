//! The real journal under a disk that forgets, fails and rots: what the simulated store takes for granted.

use std::borrow::Cow;
use std::sync::Arc;

use issuance_store::journal::{Disk as _, Entry, Options, SimulatedDisk, SimulatedFault, Writer};
use serde_json::value::RawValue;

use crate::rng::Rng;
use crate::violation::Violation;

const EIO: i32 = 5;

/// A few lives of one journal, by the seed: what was acknowledged must be there after each, and damage must be told.
pub(crate) fn judge(seed: u64) -> Option<Violation> {
    let mut rng = Rng::new(seed ^ 0x6a6f_7572_6e61_6c21);
    let mut disk = SimulatedDisk::new();
    let mut acknowledged = Vec::new();
    for _ in 0..=rng.below(3) {
        if let Err(violation) = live(&disk, &mut acknowledged, &mut rng) {
            return Some(violation);
        }
        disk = disk.power_cut(rng.next());
    }
    // One life without faults, then a flipped bit somewhere before the end.
    rot(&disk, &mut acknowledged, &mut rng).err()
}

fn open(disk: &SimulatedDisk) -> Result<Writer, String> {
    let options = Options {
        segment_bytes: 3_000,
        known: None,
    };
    Writer::open(Arc::new(disk.clone()), &options)
        .map(|(writer, _)| writer)
        .map_err(|error| error.to_string())
}

fn live(
    disk: &SimulatedDisk,
    acknowledged: &mut Vec<String>,
    rng: &mut Rng,
) -> Result<(), Violation> {
    let mut writer = open(disk).map_err(|error| {
        let what = format!("a journal does not open after a power cut: {error}");
        Violation::of("S10", what)
    })?;
    compare(&writer, acknowledged)?;
    if rng.chance(0.5) {
        let call = disk.calls() + rng.below(30);
        disk.arm(call, SimulatedFault::Errno(EIO));
    }
    for _ in 0..rng.below(12) {
        match append(&mut writer, acknowledged.len(), rng) {
            Ok(bodies) => acknowledged.extend(bodies),
            Err(_) => {
                return match append(&mut writer, acknowledged.len(), rng) {
                    Ok(_) => Err(Violation::of(
                        "S22",
                        "a journal went on after its disk had failed".into(),
                    )),
                    Err(_) => Ok(()),
                };
            }
        }
    }
    Ok(())
}

/// Some events in one batch; their bodies once they are durable.
fn append(writer: &mut Writer, already: usize, rng: &mut Rng) -> Result<Vec<String>, String> {
    let events = 1 + usize::try_from(rng.below(3)).unwrap_or(0);
    let bodies: Vec<_> = (0..events)
        .map(|nth| format!("{{\"number\":{},\"chance\":{}}}", already + nth, rng.next()))
        .collect();
    let entries = bodies.iter().zip(1..).map(|(body, version)| {
        let body = RawValue::from_string(body.clone()).map_err(|error| error.to_string())?;
        Ok(Entry {
            stream: "order/simulated".into(),
            version,
            name: "simulated".into(),
            schema: 1,
            recorded_at: "2026-09-21T14:13:20Z".into(),
            body: Cow::Owned(body),
            message: None,
        })
    });
    let batch = entries.collect::<Result<Vec<_>, String>>()?;
    let tell = |error: issuance_store::journal::JournalError| error.to_string();
    writer.write(&[batch]).map_err(tell)?;
    writer.sync().map_err(tell)?;
    Ok(bodies)
}

/// What is there begins with what was acknowledged; what follows was written and not acknowledged, and counts from now on.
fn compare(writer: &Writer, acknowledged: &mut Vec<String>) -> Result<(), Violation> {
    let mut found = Vec::new();
    for record in writer.reader().records(1) {
        let record = record.map_err(|error| Violation::of("S20", error.to_string()))?;
        found.push(record.body.get().to_owned());
    }
    if found.starts_with(acknowledged) {
        *acknowledged = found;
        return Ok(());
    }
    let what = format!(
        "{} events were acknowledged, and {} are there",
        acknowledged.len(),
        found.len()
    );
    Err(Violation::of("S3", what))
}

fn rot(
    disk: &SimulatedDisk,
    acknowledged: &mut Vec<String>,
    rng: &mut Rng,
) -> Result<(), Violation> {
    let Ok(mut writer) = open(disk) else {
        return Err(Violation::of("S10", "a journal does not open".into()));
    };
    compare(&writer, acknowledged)?;
    for _ in 0..3 {
        let bodies = append(&mut writer, acknowledged.len(), rng);
        acknowledged.extend(bodies.map_err(|error| Violation::of("S10", error))?);
    }
    drop(writer);
    let Some(last) = disk.list().ok().and_then(|names| names.into_iter().max()) else {
        return Ok(());
    };
    let mut bytes = disk.bytes(&last).unwrap_or_default();
    // The last two lines alone could be a write that was torn.
    let lines: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    let Some(end) = lines.len().checked_sub(8).map(|line| lines[line]) else {
        return Ok(());
    };
    let at = usize::try_from(rng.below(end as u64)).unwrap_or(0);
    bytes[at] ^= 1 << rng.below(7);
    disk.put(&last, &bytes);
    match open(disk) {
        Err(_) => Ok(()),
        Ok(_) => Err(Violation::of(
            "S20",
            format!("a journal of which byte {at} of {last} is damaged opens as if it were whole"),
        )),
    }
}
