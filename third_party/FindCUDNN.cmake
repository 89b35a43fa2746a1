# Finds cuDNN: CUDNN_FOUND, CUDNN_VERSION and the target CUDNN::cudnn. Looks beside the CUDA toolkit, in CUDNN_ROOT
# (CMake or environment variable) and where the system keeps libraries. With COMPONENTS headers the library may be
# missing: the emulated device only needs the declarations (CUDNN::headers).
find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR} ${CUDAToolkit_TARGET_DIR} PATH_SUFFIXES lib lib64)
mark_as_advanced(CUDNN_INCLUDE_DIR CUDNN_LIBRARY)

if(CUDNN_INCLUDE_DIR AND EXISTS ${CUDNN_INCLUDE_DIR}/cudnn_version.h)
  file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h lines REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) ")
  string(REGEX MATCHALL "[0-9]+" CUDNN_VERSION "${lines}")
  list(JOIN CUDNN_VERSION . CUDNN_VERSION)
endif()

set(CUDNN_headers_FOUND ${CUDNN_INCLUDE_DIR})
include(FindPackageHandleStandardArgs)
if(CUDNN_FIND_COMPONENTS)
  find_package_handle_standard_args(CUDNN REQUIRED_VARS CUDNN_INCLUDE_DIR VERSION_VAR CUDNN_VERSION HANDLE_COMPONENTS)
else()
  find_package_handle_standard_args(CUDNN REQUIRED_VARS CUDNN_LIBRARY CUDNN_INCLUDE_DIR VERSION_VAR CUDNN_VERSION)
endif()

if(CUDNN_FOUND AND NOT TARGET CUDNN::headers)
  add_library(CUDNN::headers INTERFACE IMPORTED)
  target_include_directories(CUDNN::headers INTERFACE ${CUDNN_INCLUDE_DIR})
endif()
if(CUDNN_FOUND AND CUDNN_LIBRARY AND NOT TARGET CUDNN::cudnn)
  add_library(CUDNN::cudnn UNKNOWN IMPORTED)
  set_target_properties(CUDNN::cudnn PROPERTIES IMPORTED_LOCATION ${CUDNN_LIBRARY})
  target_link_libraries(CUDNN::cudnn INTERFACE CUDNN::headers)
endif()
