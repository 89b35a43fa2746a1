# Writes build_info.cpp; run at every build, so that the revision is the one that is compiled.
# configure_file leaves the file alone when nothing changed, so nothing is rebuilt then.
# Wants: SOURCE_DIR, TEMPLATE, OUTPUT, DITTO_VERSION, DITTO_BUILD_TYPE, DITTO_FLAGS, DITTO_SANITIZE.
set(DITTO_GIT_REVISION "unknown")
set(DITTO_GIT_DIRTY "false")
find_program(GIT git)
# A release archive unpacked inside somebody else's repository must not report that one's revision.
if(GIT AND EXISTS "${SOURCE_DIR}/.git")
  execute_process(COMMAND ${GIT} rev-parse HEAD WORKING_DIRECTORY ${SOURCE_DIR}
                  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    set(DITTO_GIT_REVISION ${revision})
    # --no-optional-locks: never get in the way of another git command.
    execute_process(COMMAND ${GIT} --no-optional-locks status --porcelain --untracked-files=no
                    WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
      set(DITTO_GIT_DIRTY "true")
    endif()
  endif()
endif()
string(REPLACE "\\" "\\\\" DITTO_FLAGS "${DITTO_FLAGS}")
string(REPLACE "\"" "\\\"" DITTO_FLAGS "${DITTO_FLAGS}")
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
