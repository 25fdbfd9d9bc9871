# SPDX-License-Identifier: Apache-2.0
# The pages: ui/dist (made by `make ui`) as one object of the api layer. Without ui/dist the server has no pages, and says so here.
file(GLOB_RECURSE ui_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/dist/*)
if(NOT ui_files)
  message(STATUS "ui/dist is not built: the server will have no pages (`make ui` builds them)")
endif()
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/pages_files.c
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/embed_ui.py ${CMAKE_SOURCE_DIR}/ui/dist ${CMAKE_BINARY_DIR}/pages_files.c
          ${CMAKE_BINARY_DIR}/pages
  DEPENDS ${CMAKE_SOURCE_DIR}/scripts/embed_ui.py ${ui_files})
target_sources(api PRIVATE ${CMAKE_BINARY_DIR}/pages_files.c)
