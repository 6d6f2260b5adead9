//! Effect: writes archives whose bytes depend on nothing but their content: no clock, no user, no folder.

use std::io::{Cursor, Write as _};

use anyhow::Context as _;
use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// The mode of a program: whoever unpacks it can start it.
const PROGRAM: u32 = 0o755;
/// The mode of any other file.
const TEXT: u32 = 0o644;

/// A file of an archive.
pub(crate) struct File<'a> {
    pub(crate) path: String,
    pub(crate) content: &'a [u8],
    pub(crate) is_program: bool,
}

/// The zip that Lambda takes for a custom runtime: one program, called `bootstrap`.
pub(crate) fn lambda_zip(bootstrap: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // 1980 is where the format's time begins.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(PROGRAM);
    archive.start_file("bootstrap", options)?;
    archive.write_all(bootstrap)?;
    Ok(archive.finish()?.into_inner())
}

/// A compressed tarball of these files, in this order, as of `time` (seconds since 1970).
pub(crate) fn tar_gz(files: &[File<'_>], time: u64) -> anyhow::Result<Vec<u8>> {
    let compressed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(compressed);
    for File { path, content, is_program } in files {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(if *is_program { PROGRAM } else { TEXT });
        header.set_size(u64::try_from(content.len())?);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, path, *content).with_context(|| format!("`{path}` cannot be packed"))?;
    }
    Ok(archive.into_inner()?.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_zip_holds_one_program_that_can_be_started_and_no_time() {
        let bytes = lambda_zip(b"program").unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_name("bootstrap").unwrap();
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        assert_eq!(file.last_modified(), Some(zip::DateTime::default()));
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(content, b"program");
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let files = [File { path: "a/tidegate".to_owned(), content: b"program", is_program: true }];
        assert_eq!(tar_gz(&files, 7).unwrap(), tar_gz(&files, 7).unwrap());
        assert_ne!(tar_gz(&files, 7).unwrap(), tar_gz(&files, 8).unwrap());
        assert_eq!(lambda_zip(b"program").unwrap(), lambda_zip(b"program").unwrap());
    }

    #[test]
    fn the_tarball_has_its_files_with_the_modes_and_the_time_that_were_given() {
        let files = [
            File { path: "a/tidegate".to_owned(), content: b"program", is_program: true },
            File { path: "a/LICENSE".to_owned(), content: b"text", is_program: false },
        ];
        let bytes = tar_gz(&files, 1_700_000_000).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                (path, header.mode().unwrap(), header.mtime().unwrap(), header.uid().unwrap())
            })
            .collect();
        let time = 1_700_000_000;
        assert_eq!(found, [("a/tidegate".to_owned(), 0o755, time, 0), ("a/LICENSE".to_owned(), 0o644, time, 0)]);
    }
}
