//! What a power cut leaves behind the last sync is cut; the same look before the last sync is damage.

use super::*;

const SECTOR: usize = 512;

/// A log of one segment: a synced group, then a group of twelve events behind it. Returns where that starts.
fn two_groups(synced: bool) -> (SimulatedDisk, String, usize) {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    writer.write(&batches(1, &[1, 2, 1])).unwrap();
    writer.sync().unwrap();
    let name = names(&disk).remove(0);
    let start = disk.bytes(&name).unwrap().len();
    writer.write(&batches(5, &[3, 1, 4, 1, 3])).unwrap();
    if synced {
        writer.sync().unwrap();
    }
    (disk, name, start)
}

#[test]
fn lost_sectors_of_the_last_group_are_cut() {
    let (disk, name, start) = two_groups(false);
    let bytes = disk.bytes(&name).unwrap();
    let sectors: Vec<_> = (0..bytes.len())
        .step_by(SECTOR)
        .filter(|at| at + SECTOR > start)
        .collect();
    assert!(sectors.len() > 5);
    for lost in 1..1_u32 << sectors.len().min(10) {
        let mut torn = bytes.clone();
        for (index, at) in sectors.iter().enumerate() {
            if lost & (1 << index) != 0 {
                torn[start.max(*at)..bytes.len().min(at + SECTOR)].fill(0);
            }
        }
        let copy = disk.copy();
        copy.put(&name, &torn);
        let (writer, report) = open(&copy, Options::default()).unwrap();
        let cut = report.cut.unwrap();
        assert!(
            cut.byte as usize >= start && report.head.position >= 4,
            "synced events stay"
        );
        assert_eq!(cut.byte + cut.bytes, bytes.len() as u64);
        let last = writer
            .reader()
            .read_from(report.head.position, 1)
            .unwrap()
            .remove(0);
        assert_eq!(last.part, last.parts);
    }
}

#[test]
fn zeros_behind_the_last_line_are_cut() {
    for zeros in [1, 511, 512, 5000, 3 << 20] {
        let (disk, name, _) = two_groups(true);
        let mut bytes = disk.bytes(&name).unwrap();
        bytes.resize(bytes.len() + zeros, 0);
        disk.put(&name, &bytes);
        let (_, report) = open(&disk, Options::default()).unwrap();
        assert_eq!(
            (report.head.position, report.cut.unwrap().bytes),
            (16, zeros as u64)
        );
    }
}

#[test]
fn lost_sectors_before_a_later_sync_are_damage() {
    let (disk, name, start) = two_groups(true);
    let mut bytes = disk.bytes(&name).unwrap();
    let sector = (start / SECTOR - 1) * SECTOR;
    bytes[sector..sector + SECTOR].fill(0);
    disk.put(&name, &bytes);
    let error = open(&disk, Options::default()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert_eq!(disk.bytes(&name).unwrap(), bytes, "nothing was cut");
}

#[test]
fn an_append_of_which_a_part_is_missing_is_cut_whole() {
    let (disk, name, start) = two_groups(true);
    let bytes = disk.bytes(&name).unwrap();
    let third = start
        + bytes[start..]
            .iter()
            .enumerate()
            .filter(|b| *b.1 == b'\n')
            .nth(1)
            .unwrap()
            .0
        + 1;
    disk.put(&name, &bytes[..third]);
    let (_, report) = open(&disk, Options::default()).unwrap();
    let cut = report.cut.unwrap();
    assert_eq!(
        (report.head.position, cut.byte, cut.bytes),
        (4, start as u64, (third - start) as u64)
    );
}

#[test]
fn other_bytes_at_the_end_are_not_cut() {
    for garbage in [
        &b"\n"[..],
        b"{}\n",
        b"garbage\n",
        b"\0garbage\n",
        b"{\"position\":17}\n",
    ] {
        let (disk, name, _) = two_groups(true);
        let mut bytes = disk.bytes(&name).unwrap();
        bytes.extend_from_slice(garbage);
        disk.put(&name, &bytes);
        assert!(open(&disk, Options::default()).is_err(), "{garbage:?}");
    }
}

#[test]
fn a_body_that_says_barrier_is_no_barrier() {
    let disk = SimulatedDisk::new();
    let (mut writer, _) = open(&disk, Options::default()).unwrap();
    let body = RawValue::from_string(r#"{"a":1,"barrier":true,"b":2}"#.into()).unwrap();
    writer.write(&[vec![entry(1)]]).unwrap();
    writer.sync().unwrap();
    let name = names(&disk).remove(0);
    let start = disk.bytes(&name).unwrap().len();
    let batch: Batch<'_> = (0..9)
        .map(|_| Entry {
            body: Cow::Owned(body.clone()),
            ..entry(2)
        })
        .collect();
    writer.write(&[batch.clone(), batch]).unwrap();
    let mut bytes = disk.bytes(&name).unwrap();
    bytes[start..start.next_multiple_of(SECTOR)].fill(0);
    disk.put(&name, &bytes);
    assert_eq!(open(&disk, Options::default()).unwrap().1.head.position, 1);
}
