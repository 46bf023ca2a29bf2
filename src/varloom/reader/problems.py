"""Every fault that the reader finds in a file. `docs/reference/errors.md` documents each with cause and resolution."""

from __future__ import annotations

from varloom.errors import ErrorKind, Place, Problem, VarloomError, define

_HEADER = "Malformed VCF header"
_PARSING = "Parsing error"
_FORMAT = "Unsupported format"
_DAMAGED = "Damaged file"
_NOTICE = "Noticed while reading"

_USE_CALLER = "Check that a standard variant caller made the file and that it has all required columns."
UPLOAD_AGAIN = "Upload the mended file again."
"""The step that goes without saying where nothing was uploaded."""


class FileRefused(VarloomError):  # noqa: N818 - it reads as what happened, and is public
    """The file cannot become a table; `problems` holds up to 20 findings, the first also as message and place."""


def refuse(*problems: Problem) -> FileRefused:
    """The refusal for these findings, of which the first gives code, message, place and resolution."""
    first = problems[0]
    return FileRefused(first.kind, first.message, first.place, first.resolution, tuple(problems))


def refusal(kind: ErrorKind, message: str, place: Place | None = None, resolution: tuple[str, ...] = ()) -> FileRefused:
    """The refusal for one finding."""
    return refuse(Problem(kind, message, place=place or Place(), resolution=resolution))


# --- the file as a whole -------------------------------------------------------------------------------------------

FILE_UNREADABLE = define(
    "file_unreadable",
    "File cannot be read",
    cause="The file does not exist, is a folder, may not be read by Varloom, or was changed while it was read.",
    resolution=("Check the path and its permissions, and try again.",),
)
FILE_EMPTY = define(
    "file_empty",
    "Empty file",
    cause="The file has no content, which is what an interrupted copy or a failed export leaves.",
    resolution=("Export or copy the file again, check that its size is not 0, and upload it again.",),
)
FORMAT_NOT_SUPPORTED = define(
    "format_not_supported",
    _FORMAT,
    cause="The content of the file is of a known kind that Varloom does not read into a table.",
    resolution=("Convert the file to VCF, BCF, CSV or TSV, plain or compressed, and upload that.",),
)
FORMAT_UNKNOWN = define(
    "format_unknown",
    _FORMAT,
    cause="The content is binary, or a text that is neither VCF nor CSV nor TSV, whatever the file's name says.",
    resolution=(
        "Check that this is the file you meant: its content does not match its name.",
        "Upload a VCF, BCF, CSV or TSV file, plain or compressed.",
    ),
)
FORMAT_MISMATCH = define(
    "format_mismatch",
    _PARSING,
    cause="The content does not match the format that the file's extension names.",
    resolution=("Give the file the extension of its content, or upload the file that you meant.",),
)
ENCODING_NOT_SUPPORTED = define(
    "encoding_not_supported",
    _FORMAT,
    cause="The text is UTF-16, which VCF does not allow.",
    resolution=("Save the file as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`, and upload that.",),
)
COMPRESSION_NOT_SUPPORTED = define(
    "compression_not_supported",
    _FORMAT,
    cause="The file is packed in a way that Varloom does not unpack: 7z, rar, lz4, snappy, compress or lzip; a zip "
    "archive that is encrypted or holds more than one file; or data that look back further than 128 MiB. Those "
    "that it unpacks are gzip, bgzip, bzip2, xz, zstd, and zip archives of one file.",
    resolution=("Unpack the file, or pack it with gzip or bgzip instead, and upload that.",),
)
COMPRESSION_DAMAGED = define(
    "compression_damaged",
    _DAMAGED,
    cause="The compressed data do not decompress, or their checksum is wrong: bytes were changed on the way.",
    resolution=(
        "Copy or download the file again and compare its checksum with that of the source.",
        "Test the copy before you upload it: with `gzip -t`, or `bzip2 -t`, `xz -t`, `zstd -t`, `unzip -t`.",
    ),
)
COMPRESSION_TRUNCATED = define(
    "compression_truncated",
    _DAMAGED,
    cause="The compressed data end too early: a copy, a download or the program that wrote the file was interrupted.",
    resolution=(
        "Copy or download the file again and compare its size with that of the source.",
        "Test the copy before you upload it: with `gzip -t`, or `bzip2 -t`, `xz -t`, `zstd -t`, `unzip -t`.",
    ),
)
BCF_MALFORMED = define(
    "bcf_malformed",
    _DAMAGED,
    cause="The header or a record of a BCF does not follow the format, although its compression is sound: the program "
    "that wrote it has a fault, or a text of it holds a line feed.",
    resolution=(
        "Test the file with `bcftools view FILE > /dev/null`, and write it again from its source.",
        "Or upload the VCF that the BCF was made of.",
    ),
)
TRAILING_BYTES = define(
    "trailing_bytes",
    _DAMAGED,
    cause="Bytes that are not compressed data follow the compressed content.",
    resolution=("Unpack the file, check its end, pack it again and upload it.",),
)
BGZIP_END_MISSING = define(
    "bgzip_end_missing",
    _NOTICE,
    cause="The marker that ends a bgzip file is missing although the last line is whole; the end may be cut off.",
    resolution=("Compare the number of records with the source; pack the file with `bgzip` again.",),
)
LINE_TOO_LONG = define(
    "line_too_long",
    _PARSING,
    cause="A line is longer than 128 MiB, which no valid file needs; line ends may be missing. Or a long record has so "
    "many ALT alleles that its rows would have more than a billion characters.",
    resolution=("Check that the file has line ends, and that it is the file you meant.",),
)
CONTROL_CHARACTER = define(
    "control_character",
    _PARSING,
    cause="A line holds a NUL or another control character, which means damage or binary content.",
    resolution=("Make or copy the file again; check the named line.",),
)
TEXT_NOT_UTF8 = define(
    "text_not_utf8",
    _PARSING,
    cause="A data line is not valid UTF-8, so its text cannot be kept unchanged.",
    resolution=("Save the file as UTF-8, or mend the damaged line, and upload it again.",),
)
BYTE_ORDER_MARK = define(
    "byte_order_mark",
    _NOTICE,
    cause="The file starts with a byte order mark, which VCF does not allow; it was left out.",
    resolution=("Nothing is lost. Other programs may refuse the file: save it as UTF-8 without a mark.",),
)
HEADER_NOT_UTF8 = define(
    "header_not_utf8",
    _NOTICE,
    cause="A header line is not valid UTF-8; it was read as Latin-1.",
    resolution=("Check the named line; save the file as UTF-8.",),
)
FINAL_NEWLINE_MISSING = define(
    "final_newline_missing",
    _NOTICE,
    cause="The last line does not end with a line end; the end of the file may have been cut off.",
    resolution=("Check that the last line is whole.",),
)
BLANK_LINE = define(
    "blank_line",
    _NOTICE,
    cause="The file has an empty line, which VCF does not allow; it holds no record.",
    resolution=("Nothing is lost. Remove the empty line if other programs refuse the file.",),
)

# --- the VCF header ------------------------------------------------------------------------------------------------

VCF_FILEFORMAT_MISSING = define(
    "vcf_fileformat_missing",
    _HEADER,
    cause="The first line of a VCF must say its version, such as ##fileformat=VCFv4.2.",
    resolution=(
        "Add ##fileformat=VCFv4.2 as the very first line (or the version that the file was written for).",
        _USE_CALLER,
        UPLOAD_AGAIN,
    ),
)
VCF_VERSION_NOT_SUPPORTED = define(
    "vcf_version_not_supported",
    _HEADER,
    cause="The ##fileformat line names a version that is not VCF 4.0 to 4.5.",
    resolution=("Convert the file, for example with `bcftools view`, and upload the result.",),
)
VCF_HEADER_TOO_LONG = define(
    "vcf_header_too_long",
    _HEADER,
    cause="The header is longer than 64 MiB. Headers with a hundred thousand contigs have 10 MiB; one so long comes of "
    "damage, or is made to use up the server's memory.",
    resolution=(
        "Look at the header, for example with `bcftools view -h`, and remove the lines that were repeated.",
        UPLOAD_AGAIN,
    ),
)
VCF_CHROM_LINE_MISSING = define(
    "vcf_chrom_line_missing",
    _HEADER,
    cause="The line that starts with #CHROM and names the columns is missing before the first record.",
    resolution=(
        "Add the #CHROM line, with tabs between its words, as the last line of the header.",
        _USE_CALLER,
        UPLOAD_AGAIN,
    ),
)
VCF_CHROM_LINE_WRONG = define(
    "vcf_chrom_line_wrong",
    _HEADER,
    cause="The #CHROM line does not have the required columns in their order, separated by single tabs.",
    resolution=(
        "Correct the line: CHROM, POS, ID, REF, ALT, QUAL, FILTER, INFO, then FORMAT and one column for each sample.",
        _USE_CALLER,
        UPLOAD_AGAIN,
    ),
)
VCF_SAMPLE_DUPLICATE = define(
    "vcf_sample_duplicate",
    _HEADER,
    cause="Two samples of the #CHROM line have the same name, so their columns cannot be told apart.",
    resolution=("Give each sample its own name, for example with `bcftools reheader -s`.", UPLOAD_AGAIN),
)
VCF_HEADER_LINE_MALFORMED = define(
    "vcf_header_line_malformed",
    _HEADER,
    cause="A line of the header does not start with ## or does not have the form ##KEY=VALUE or ##KEY=<ID=...,...>.",
    resolution=(
        'Correct the line, for example ##INFO=<ID=DP,Number=1,Type=Integer,Description="Read depth">.',
        _USE_CALLER,
        UPLOAD_AGAIN,
    ),
)
VCF_DECLARATION_DUPLICATE = define(
    "vcf_declaration_duplicate",
    _NOTICE,
    cause="The header declares the same INFO, FORMAT, FILTER or contig twice; the first declaration counts.",
    resolution=("Remove one of the two lines; if they differ, check which of them is right.",),
)
VCF_DECLARATION_ODD = define(
    "vcf_declaration_odd",
    _NOTICE,
    cause="A declaration in the header is incomplete or breaks a rule of the VCF specification.",
    resolution=("Nothing is lost. Correct the header line if other programs refuse the file.",),
)
VCF_RESERVED_KEY_REDEFINED = define(
    "vcf_reserved_key_redefined",
    _NOTICE,
    cause="The header declares a key of the VCF specification with another Number or Type; the header's word counts.",
    resolution=("Check that the values mean what the specification says for the key.",),
)

# --- VCF records ---------------------------------------------------------------------------------------------------

VCF_COLUMN_COUNT = define(
    "vcf_column_count",
    _PARSING,
    cause="A data line does not have as many tab-separated columns as the #CHROM line.",
    resolution=(
        "Match the data line to the #CHROM line: the same number of columns, separated by single tabs.",
        UPLOAD_AGAIN,
    ),
)
VCF_HEADER_LINE_AMONG_RECORDS = define(
    "vcf_header_line_among_records",
    _PARSING,
    cause="A line that starts with # stands among the records; two files may have been joined.",
    resolution=("Join files with `bcftools concat`, or remove the line.", UPLOAD_AGAIN),
)
VCF_CONTIG_INVALID = define(
    "vcf_contig_invalid",
    _PARSING,
    cause="The CHROM column of a record is empty.",
    resolution=("Write the contig's name into the first column.", UPLOAD_AGAIN),
)
VCF_POSITION_INVALID = define(
    "vcf_position_invalid",
    _PARSING,
    cause="The POS column of a record is not a whole number of 0 or more.",
    resolution=("Correct the position; spreadsheets often change numbers when they save a file.", UPLOAD_AGAIN),
)
VCF_REF_INVALID = define(
    "vcf_ref_invalid",
    _PARSING,
    cause="The REF column of a record is empty.",
    resolution=("Write the reference bases into the fourth column.", UPLOAD_AGAIN),
)
VCF_ALT_INVALID = define(
    "vcf_alt_invalid",
    _PARSING,
    cause="The ALT column of a record holds an empty allele.",
    resolution=("Write each allele, separated by single commas, or a dot where there is none.", UPLOAD_AGAIN),
)
VCF_QUALITY_INVALID = define(
    "vcf_quality_invalid",
    _PARSING,
    cause="The QUAL column of a record is neither a dot nor a number that 64-bit floats can hold.",
    resolution=("Correct the quality, or write a dot where it is unknown.", UPLOAD_AGAIN),
)
VCF_INFO_KEY_EMPTY = define(
    "vcf_info_key_empty",
    _PARSING,
    cause="The INFO column of a record has a value without a key.",
    resolution=("Write entries as KEY=VALUE, separated by semicolons.", UPLOAD_AGAIN),
)
VCF_SAMPLE_VALUES = define(
    "vcf_sample_values",
    _PARSING,
    cause="A sample of a record has more values than the FORMAT column has keys.",
    resolution=("Make the sample's values match the keys of the FORMAT column.", UPLOAD_AGAIN),
)
VCF_FORMAT_KEY_EMPTY = define(
    "vcf_format_key_empty",
    _PARSING,
    cause="The FORMAT column of a record has an empty key, so the samples' values cannot be named.",
    resolution=("Write each key of the FORMAT column, separated by single colons.", UPLOAD_AGAIN),
)
VCF_FIELD_EMPTY = define(
    "vcf_field_empty",
    _NOTICE,
    cause="A column or an entry of a record is empty where VCF asks for a dot; it was read as missing.",
    resolution=("Nothing is lost. Write a dot if other programs refuse the file.",),
)
VCF_VALUE_NOT_OF_TYPE = define(
    "vcf_value_not_of_type",
    _NOTICE,
    cause="A value does not have the Type that the header declares; its text is kept in the column's `_text` column.",
    resolution=("Correct the Type in the header or the value; look at the `_text` column.",),
)
VCF_VALUE_COUNT = define(
    "vcf_value_count",
    _NOTICE,
    cause="A field does not have as many values as the header's Number says.",
    resolution=("Correct the Number in the header or the values; what has no place is in the `_text` column.",),
)
VCF_FLAG_WITH_VALUE = define(
    "vcf_flag_with_value",
    _NOTICE,
    cause="A field that the header declares as Flag has a value; the text is kept in the column's `_text` column.",
    resolution=("Correct the Type in the header; look at the `_text` column.",),
)
VCF_VALUE_MISSING = define(
    "vcf_value_missing",
    _NOTICE,
    cause="An INFO key that the header declares with a value stands without one.",
    resolution=("Correct the header (Type=Flag, Number=0) or the record.",),
)
VCF_ANNOTATION_FORMAT = define(
    "vcf_annotation_format",
    _NOTICE,
    cause="The header does not say which subfields the entries of a consequence annotation (CSQ, ANN, BCSQ) have, or "
    "it names one twice.",
    resolution=(
        "Nothing is lost: the annotation is kept as it stands. To have it unfolded, keep the annotator's INFO line.",
    ),
)
VCF_ANNOTATION_COUNT = define(
    "vcf_annotation_count",
    _NOTICE,
    cause="An entry of a consequence annotation has another number of subfields than the header lists. What it lacks "
    "is missing in the unfolded columns; what it has beyond them stands in the raw column alone.",
    resolution=("Annotate the file again, or correct the Description in the header.",),
)
VCF_ANNOTATION_ALLELE = define(
    "vcf_annotation_allele",
    _NOTICE,
    cause="An entry of a consequence annotation names an allele that the record does not have. It is told with every "
    "ALT allele of the record.",
    resolution=(
        "Look at the raw column of these records.",
        "Split records with `bcftools norm -m-` before annotating, or annotate with `--allele_number`.",
    ),
)
VCF_KEY_DUPLICATE = define(
    "vcf_key_duplicate",
    _NOTICE,
    cause="A record has the same INFO or FORMAT key twice; the first counts, all are kept in the `_text` column.",
    resolution=("Check which of the values is right; look at the `_text` column.",),
)
VCF_KEY_UNDECLARED = define(
    "vcf_key_undeclared",
    _NOTICE,
    cause="Records use an INFO or FORMAT key that the header does not declare; it is kept as text.",
    resolution=("Declare the key in the header to get typed values.",),
)
VCF_TOO_MANY_KEYS = define(
    "vcf_too_many_keys",
    _PARSING,
    cause="The records use more than 5,000 INFO or FORMAT keys that the header does not declare.",
    resolution=(
        "Encode semicolons within INFO texts as %3B: each text after a semicolon is read as a key.",
        UPLOAD_AGAIN,
    ),
)
VCF_FILTER_UNDECLARED = define(
    "vcf_filter_undeclared",
    _NOTICE,
    cause="Records use a filter that the header does not declare; it is kept.",
    resolution=("Nothing is lost. Declare the filter in the header.",),
)
VCF_CONTIG_UNDECLARED = define(
    "vcf_contig_undeclared",
    _NOTICE,
    cause="Records stand on a contig that the header does not declare although it declares others.",
    resolution=("Nothing is lost. Check that the header belongs to these records.",),
)
VCF_RULE_BROKEN = define(
    "vcf_rule_broken",
    _NOTICE,
    cause="A value breaks a rule of the VCF specification without being lost: it is kept as it stands.",
    resolution=("Nothing is lost. Check the named line if the value matters to you.",),
)
VCF_STRUCTURAL_ANNOTATION = define(
    "vcf_structural_annotation",
    _NOTICE,
    cause="Annotations of a structural variant, a tandem repeat or a phase set contradict each other, or one is "
    "missing that VCF 4.4 and later ask for.",
    resolution=("Nothing is lost. Check the named line and field; a newer version of the caller may write it right.",),
)
VCF_RECORD_ORDER = define(
    "vcf_record_order",
    _NOTICE,
    cause="Records are not sorted by position, a contig comes back after another, or a record stands twice.",
    resolution=("Nothing is lost. Sort the file with `bcftools sort` if other programs refuse it.",),
)
COLUMN_RENAMED = define(
    "column_renamed",
    _NOTICE,
    cause="Two columns would have the same name (letters' case aside), or one has none; it was given another.",
    resolution=("Nothing is lost. Rename the sample, key or column in the file if the new name is unclear.",),
)

# --- CSV and TSV ---------------------------------------------------------------------------------------------------

CSV_HEADER_MISSING = define(
    "csv_header_missing",
    _PARSING,
    cause="The first row of a CSV or TSV file must name the columns, but it looks like a row of data.",
    resolution=("Put a row with the column names first.", UPLOAD_AGAIN),
)
CSV_TOO_MANY_COLUMNS = define(
    "csv_too_many_columns",
    _PARSING,
    cause="The header row has more than 100,000 columns, or a line has more than a million separators. The separator "
    "may have been taken wrongly, or line ends may be missing.",
    resolution=(
        "Check that the file has line ends, and that it is the file you meant.",
        "If it is a matrix that is wider than long, turn its rows into columns, and upload it again.",
    ),
)
CSV_RAGGED_ROW = define(
    "csv_ragged_row",
    _PARSING,
    cause="A row does not have as many cells as the header row.",
    resolution=(
        "Make the number of columns the same in every row; put cells that hold the separator in double quotes.",
        UPLOAD_AGAIN,
    ),
)
CSV_QUOTE_INVALID = define(
    "csv_quote_invalid",
    _PARSING,
    cause="A quoted cell does not end, or text follows its closing quote.",
    resolution=("Close the quote; write a quote within a quoted cell twice.", UPLOAD_AGAIN),
)
CSV_UTF16_INVALID = define(
    "csv_utf16_invalid",
    _PARSING,
    cause="The file is written in UTF-16, but holds bytes that are none; it may be cut off or damaged.",
    resolution=("Copy or export the file again, best as UTF-8, and upload it.",),
)
CSV_LATIN1 = define(
    "csv_latin1",
    _NOTICE,
    cause="The file is not valid UTF-8; it was read as Latin-1.",
    resolution=("Check letters with accents; save the file as UTF-8 if they are wrong.",),
)
TSV_QUOTES_AS_TEXT = define(
    "tsv_quotes_as_text",
    _NOTICE,
    cause="Quotes in a TSV file do not enclose whole cells; all of them were read as letters like any other.",
    resolution=("Nothing is lost. Check cells with quotes if the file's writer meant them to enclose cells.",),
)
CSV_BLANK_LINE = define(
    "csv_blank_line",
    _NOTICE,
    cause="The file has an empty line; it holds no row.",
    resolution=("Nothing is lost. Remove the empty line if it should not be there.",),
)
