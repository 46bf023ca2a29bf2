#!/bin/sh
# Builds the native kernels with the address and undefined-behaviour sanitizers of gcc into build/sanitize, and runs
# the tests that feed them: the kernels' own, made-up files, the corpus, and spoiled files. The first finding ends the
# process in which it is met, which fails the test. Arguments are handed to pytest, in place of the tests below.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-$PWD/.venv/bin/python}
built=$PWD/build/sanitize

mkdir -p "$built"
rm -rf "$built/src"
rm -rf "$built/scripts"
cp -R setup.py pyproject.toml README.md LICENSE src scripts "$built/"
rm -f "$built"/src/varloom/*/native/*.so
flags="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
(cd "$built" && CFLAGS="$flags" LDFLAGS="-fsanitize=address,undefined" "$python" setup.py --quiet build_ext --inplace)

# Python itself has no sanitizer, so its library comes first by hand. Leaks are not looked for: Python keeps memory.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1
UBSAN_OPTIONS=print_stacktrace=1
PYTHONMALLOC=malloc
PYTHONPATH=$built/src
export LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS PYTHONMALLOC PYTHONPATH

kernels=$("$python" -c 'import varloom.reader.native.vcf_records as kernel; print(kernel.__file__)')
case $kernels in
"$built"/*) echo "Testing $kernels and its like." ;;
*) echo "The kernels that were built with sanitizers are not those that are imported: $kernels" >&2; exit 1 ;;
esac
[ $# -gt 0 ] || set -- tests/unit/test_reader_vcf.py tests/unit/test_reader_csv.py tests/unit/test_consequences.py \
	tests/unit/test_dataset_writer.py tests/property/test_parquet_properties.py \
	tests/property/test_variant_lookup_properties.py \
	tests/property/test_reader_vcf_property.py tests/property/test_reader_csv_property.py tests/verifier \
	tests/integration/test_corpus_vcf.py tests/integration/test_corpus_csv.py tests/faults/test_mutations.py
exec "$python" -m pytest -q -p no:cacheprovider -o timeout=3600 "$@"
