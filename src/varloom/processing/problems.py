"""What can go wrong with reads, and with the programs that work on them."""

from __future__ import annotations

from varloom.errors import define

READS_NOT_READS = define(
    "reads_not_reads",
    "Not a file of reads",
    cause="A file was given as reads, and its content is something else.",
    resolution=(
        "Give FASTQ (plain or gzip), BAM or CRAM.",
        "If the file was downloaded, check that the address gives the file itself and no page about it.",
    ),
)
READS_MALFORMED = define(
    "reads_malformed",
    "Malformed FASTQ",
    cause="A read does not have the four lines of FASTQ: `@` and a name, the bases, `+`, and as many qualities as "
    "bases.",
    resolution=(
        "Look at the named line: a file that was cut, joined or edited by hand breaks there.",
        "Make the file again, or copy it again from where it came from, and compare the checksums.",
    ),
)
READS_TRUNCATED = define(
    "reads_truncated",
    "FASTQ ends too early",
    cause="The packed file ends in the middle, or its bytes are damaged: it was not copied whole.",
    resolution=("Copy the file again from where it came from, and compare sizes and checksums.",),
)
READS_EMPTY = define(
    "reads_empty",
    "No reads",
    cause="A file holds no read at all.",
    resolution=("Check that the run or the copy that made the file has ended well, and give the file that has reads.",),
)
READS_UNPAIRED = define(
    "reads_unpaired",
    "Reads do not pair",
    cause="The files of first and second mates hold different reads, or differently many: they do not belong together, "
    "or one of them was filtered or cut without the other.",
    resolution=(
        "Give the two files of the same lane, as the sequencer or the demultiplexer wrote them.",
        "If one of them was trimmed or filtered, repeat that on both files together.",
    ),
)
READS_NOT_TOGETHER = define(
    "reads_not_together",
    "Files that do not go together",
    cause="The files that were given are not the reads of one sample: a mate file is missing or there twice, or FASTQ "
    "was mixed with an alignment.",
    resolution=(
        "Give for each lane both files, named alike but for R1 and R2 (or 1 and 2), or one interleaved file.",
        "Or give one BAM or CRAM alone; one that holds several samples is taken apart first, by `samtools split`.",
    ),
)
ALIGNMENT_MALFORMED = define(
    "alignment_malformed",
    "Alignment not readable",
    cause="The BAM or CRAM is cut short or damaged, or its header does not fit its reads.",
    resolution=("Copy the file again from where it came from; `samtools quickcheck` must accept it.",),
)
ALIGNMENT_OTHER_REFERENCE = define(
    "alignment_other_reference",
    "Aligned to another reference",
    cause="The contigs in the header of the BAM or CRAM are not those of the chosen reference: names, lengths or "
    "checksums differ.",
    resolution=(
        "Choose the reference that the reads were aligned to.",
        "Or turn the alignment back into reads (`samtools collate` and `samtools fastq`) and give those.",
    ),
)
REFERENCE_UNUSABLE = define(
    "reference_unusable",
    "Reference not usable for alignment",
    cause="The FASTA of the reference cannot be read, is packed in a way that cannot be used, or has no bases.",
    resolution=("Install the reference by `varloom refs add NAME --kind fasta`, or give an intact FASTA file.",),
)
REFERENCE_GENOME_MISSING = define(
    "reference_genome_missing",
    "Reference genome not installed",
    cause="Reads are aligned to a genome, and none of the chosen name and assembly is installed here. That of the "
    "demonstration serves its own files alone.",
    resolution=(
        "Choose one that is installed: `varloom refs list`.",
        "Ask the operator to install one with `varloom refs add NAME --kind fasta`.",
        "On the command line a FASTA file can be given by --reference.",
    ),
    status=409,
)
SITES_UNUSABLE = define(
    "sites_unusable",
    "Sites not usable",
    cause="The file of sites that are to be genotyped is no VCF, or has contigs that the reference does not have.",
    resolution=("Give a VCF whose contigs and positions are those of the chosen reference.",),
)
ENGINE_UNAVAILABLE = define(
    "engine_unavailable",
    "Engine not available here",
    cause="The engine that was chosen for secondary analysis needs programs or devices that this machine lacks.",
    resolution=(
        "Install what the message names, or choose another engine.",
        "For the CPU engine: `pip install 'varloom[reads]'`.",
    ),
    status=409,
)
CALLER_UNAVAILABLE = define(
    "caller_unavailable",
    "The engine has no such caller",
    cause="Each engine calls variants with the programs it has, and the chosen one is not among them.",
    resolution=("Choose a caller that the engine has, or another engine.",),
)
DISK_TOO_SMALL = define(
    "disk_too_small",
    "Not enough disk space for the analysis",
    cause="Before any work is begun the space that it will need is estimated from the size of the reads and of the "
    "reference, and the disk has less.",
    resolution=("Free space on the named disk, or ask whoever runs this server to enlarge it; then retry the job.",),
    status=507,
)
PROGRAM_FAILED = define(
    "program_failed",
    "A program of the analysis failed",
    cause="A program of secondary analysis ended with an error, or was ended by the system, for example for lack of "
    "memory. Finished steps are kept.",
    resolution=(
        "Retry the job: it goes on after the last finished step.",
        "If it fails again, look at the message of the program, and give the machine more memory if it was killed.",
    ),
    retryable=True,
    status=500,
)
FEW_READS_MAPPED = define(
    "few_reads_mapped",
    "Few reads fit the reference",
    cause="Less than half of the reads could be aligned: they may be of another species, or of another reference.",
    resolution=("Check that the reference is that of the sample's species, and that the reads are the sample's.",),
)
READS_OLD_QUALITIES = define(
    "reads_old_qualities",
    "Qualities in an old notation",
    cause="The qualities look like those of Illumina's machines before 2011, counted from `@` (Phred+64). They were "
    "read as FASTQ has them today, counted from `!`: each is 31 too high, and errors of sequencing pass for variants.",
    resolution=(
        "If the reads are that old, turn the qualities into today's (`seqtk seq -VQ64 OLD.fastq`), and analyse again.",
        "If the sequencer does give qualities from 31 to 71 alone, nothing is to be done.",
    ),
)
READS_END_MISSING = define(
    "reads_end_missing",
    "The end of the reads may be missing",
    cause="A FASTQ packed with bgzip lacks the marker that ends such files. All that is there is whole, but reads at "
    "the end may have been cut off, such as by a copy that was interrupted. Some programs never write the marker.",
    resolution=(
        "Compare the number of reads with that of the source, or the file's checksum.",
        "If reads are missing, copy the file again, and analyse again.",
    ),
)
READS_NO_DEPTH = define(
    "reads_no_depth",
    "Sites without reads",
    cause="At some of the sites that were to be genotyped no read gives evidence, so their genotype is not known.",
    resolution=("Sequence deeper or with a panel that has these sites, if their genotypes matter.",),
)
ALIGNMENT_KEPT_AS_BAM = define(
    "alignment_kept_as_bam",
    "Alignment kept as BAM",
    cause="The alignment was to be kept as CRAM, and was read again from it: some reads came back otherwise. A "
    "CRAM cannot tell `=` and `X` of a CIGAR from `M`, and keeps neither CIGAR nor mapping quality of unmapped reads.",
    resolution=("Nothing is lost: download the BAM. What a CRAM cannot keep of it is as it was.",),
)
SEX_CHROMOSOMES_CONTRADICT = define(
    "sex_chromosomes_contradict",
    "Given sex chromosomes contradict the reads",
    cause="The sex chromosomes that were given for the sample do not fit the depth of X and of Y. The reads may be "
    "another person's (samples or names were swapped), or the statement is wrong. Neither is believed: X and Y are "
    "called as two copies, so that no variant is lost.",
    resolution=(
        "Check by the laboratory's own records that the reads are this sample's.",
        "If they are, load them again with the right sex chromosomes, or leave it to coverage.",
    ),
)
SEX_CHROMOSOMES_UNTOLD = define(
    "sex_chromosomes_untold",
    "Sex chromosomes not told",
    cause="Coverage does not tell XX from XY (few reads, a panel or an exome, or depths that fit neither), and nothing "
    "was given. Variants of X and Y outside the pseudoautosomal regions were called as two copies: where a sample has "
    "one, its genotypes are homozygous.",
    resolution=("If it is known which the sample has, load the reads again with `sex_chromosomes` `xx` or `xy`.",),
)
CALLED_DIPLOID = define(
    "called_diploid",
    "Called as two copies",
    cause="It is known that the sample has one copy of X and of Y, and the genotypes were made for two: by a caller "
    "that is not told, or on a genome whose pseudoautosomal regions are not known.",
    resolution=(
        "Read a homozygous genotype there as one copy, and a heterozygous one as a doubtful call.",
        "Or use the engine `cpu` with GRCh38 or GRCh37, which calls one copy.",
    ),
)
