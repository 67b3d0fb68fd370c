# Sourced by tests/check_cuda.sh and tests/gpu/bundle.sh: NVIDIA's toolkit without NVIDIA's installer.
#
# `toolkit FOLDER` puts nvcc, cuBLAS, cuRAND, NVRTC and cuDNN from NVIDIA's Python packages into a virtual environment in
# FOLDER (about 2.5 GB; kept there for the next time), a stand-in for the driver's library beside it, and sets the
# variables by which cargo finds them. 13.0 is what drivers from R580 on can load.
toolkit() {
    local folder="$1" nvidia
    if ! compgen -G "$folder/venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc" >/dev/null; then
        python3 -m venv "$folder/venv"
        # The compiler's parts must be of one version.
        "$folder/venv/bin/pip" install --quiet \
            nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-nvrtc==13.0.88 \
            nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-cublas==13.1.0.3 nvidia-curand \
            nvidia-cudnn-cu13==9.19.0.56
    fi
    nvidia="$(echo "$folder"/venv/lib/python3*/site-packages/nvidia)"
    for library in "$nvidia"/cu13/lib/lib{cublas,cublasLt,cudart,curand,nvrtc}.so.* "$nvidia"/cudnn/lib/libcudnn.so.*; do
        ln -sf "$(basename "$library")" "${library%%.so.*}.so" # what the linker asks for
    done
    stand_in "$folder/driver"
    export CUDA_HOME="$nvidia/cu13" CUDA_PATH="$nvidia/cu13" PATH="$nvidia/cu13/bin:$PATH" CUDARC_CUDA_VERSION=13000
    export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-90}" # without a GPU nobody can be asked; 90 is Hopper
    export LIBRARY_PATH="$folder/driver:$nvidia/cu13/lib:$nvidia/cudnn/lib${LIBRARY_PATH:+:$LIBRARY_PATH}"
}

# The driver's library comes with a GPU. To link, and to start without one, every function of it that is called says
# "no device" (CUDA_ERROR_NO_DEVICE, 100).
stand_in() {
    local functions
    mkdir -p "$1"
    functions="$(cargo metadata --format-version 1 --features cudnn |
        grep -o '"[^"]*/cudarc-[0-9.]*/Cargo.toml"' | head -1 | tr -d '"')"
    grep -oE 'fn cu[A-Z][A-Za-z0-9_]*' "$(dirname "$functions")/src/driver/sys/mod.rs" | sort -u |
        sed -E 's/fn (.*)/int \1(void) { return 100; }/' >"$1/driver.c"
    cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$1/libcuda.so.1" "$1/driver.c"
    ln -sf libcuda.so.1 "$1/libcuda.so"
}
