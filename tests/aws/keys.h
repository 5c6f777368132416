/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Made with openssl(1), for these tests only: genrsa, rsa -pubout, dgst -sigopt rsa_pss_saltlen. */

#define RSA_SPKI                                                                                   \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAx3o+VDAQx3C2EJt53VpcGtbFi4EFA/yP"             \
	"EYh38QYxh/qDcJqphMVuxBlf9W+PsjOSlZNr8PJG33adnHuAiZj6vc4o53IiVUCUVjY62i2prd8q"             \
	"stRJC7kK19BOua9O3HMsXMwOkHKGS0y1qEPC/c5ysKJbY9jJvupOiJPPF0XZNTFG7LM/nKag4EKY"             \
	"knyr3PtwsLpiYIRzLY0d+0HIs7EstTQYgPKXcR1iYgcs5s+SbVbl2ReJmYlLqY2SKammC3DOTkGS"             \
	"uhFF9sE8dN2tMBFXSHu/+HVBQkE11+X8VmOiDNOFQhc4uXtNdiKI8p3QvHPSZEm40FOlo2rK4Bhd"             \
	"ClUzpwIDAQAB"                                                                             \
	""

#define RSA_PKCS1                                                                                  \
	"MIIBCgKCAQEAx3o+VDAQx3C2EJt53VpcGtbFi4EFA/yPEYh38QYxh/qDcJqphMVuxBlf9W+PsjOS"             \
	"lZNr8PJG33adnHuAiZj6vc4o53IiVUCUVjY62i2prd8qstRJC7kK19BOua9O3HMsXMwOkHKGS0y1"             \
	"qEPC/c5ysKJbY9jJvupOiJPPF0XZNTFG7LM/nKag4EKYknyr3PtwsLpiYIRzLY0d+0HIs7EstTQY"             \
	"gPKXcR1iYgcs5s+SbVbl2ReJmYlLqY2SKammC3DOTkGSuhFF9sE8dN2tMBFXSHu/+HVBQkE11+X8"             \
	"VmOiDNOFQhc4uXtNdiKI8p3QvHPSZEm40FOlo2rK4BhdClUzpwIDAQAB"                                 \
	""

/* Of "text to sign", with a salt of 32 bytes and of 20. */
#define RSA_SIGNATURE                                                                              \
	"uoGPi+MldDE8W5GIoYhq4JKv20SSlXdn/nlNObYVVkn/qMTIUNXp5jLiPiwepgTZrStVzb5cOl82"             \
	"eZR2XbcxBzGOl8t6bq+K4UyZviOFiEMM1m2sU1c0SofL0B2I7Xv+gdg/Q9cRTXIzabk8PkuhLFBg"             \
	"pcg1X9X5WQOh5VjKefQT3XSGeAaTzTZLsMrL+fKz7cAkpNNtXFJS4bcih5D1N0Y3YMy/f/GZxleo"             \
	"2VWJ2urQQpejOpH00Sxp0UWFh3Bgq3TafB4l/0inutsnXyzfBf4kNQ1uFLdfG0ecCnoz0Vc/GK3d"             \
	"cxdiLsjVEwPfCzNhIsuSZpgMC42R+9g+1Ho3Gw=="                                                 \
	""

#define RSA_SIGNATURE_SALT_20                                                                      \
	"UJWcubHpJ4OaChIXUyt3fa9NI4q6qsW1ZnPLrnujhilxnW0sK6hEiyBOMmYkHdkcIhYTJvkRQE3P"             \
	"r7F5U88yEjkv1bfNK9sNmjQyxR3Rpe+bwK0LtmitMk6Yn1314+eT5W44pkIjipb04Z+3jnspjQ69"             \
	"/28CV5oyd0WWIjC5UpzaD4nsivoBg/SdpaZ9lXXJuxrOpdwGN/ds/lbLddlbpdpXfbjrKywTJ+eE"             \
	"aixfVPucXyFGLOIXTERe5O7dxTZ8ClVnrETJ40QeEOyJ6k7utZCg6BkyQS9l/XApldmwcmTPC3Nd"             \
	"b/mnOk0kantxi5SUoig/ZIumRA53MzOKh2wRTQ=="                                                 \
	""

/* Of 1024 bits. */
#define RSA_SMALL                                                                                  \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1BMlqcl06Tnzo3cjzOf01HRp5OnUyOsXfNcpn"             \
	"cdXuUS0y7SbRtfa94/BhFyTxfkkaIFBQeHY1pdkbXGYtVzB7Utl9RE5/u1+BjSl1ZTQBRX5iXjjy"             \
	"qvYVyyuH5PPsj8sP47h45fHkjw5wkIdAnobBU/W47MWq+Cei+gFEOCblQwIDAQAB"                         \
	""

/* Private keys that are not signed with: one of 1024 bits, one with a password. */
#define RSA_SMALL_PEM                                                                              \
	"-----BEGIN PRIVATE KEY-----\n"                                                            \
	"MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAKm3CRyl5Do+N+45\n"                       \
	"yhq7/9K8S3c15HF1XU8OEuZfSpNiYfLDP8vo+8vAJcEdTnXxzEU+jzn1VyaxuqvX\n"                       \
	"TTqJjuuyFMuPCrqf6DztBj7v+Ite9sPAa4KWnTyY4u+ls14ui+2UdCf143sARvHC\n"                       \
	"aE5Xuf+gdfk6++ScSynpQbUhR3hjAgMBAAECgYEAkwWzaRP1QNeBkGiTwtE2b5Mb\n"                       \
	"NSyEuB1aNhAVI2lNq5xBChNHAxjUeM/+ZOtEezx7H0lwvl7hnu28rv0XNCzSl8dH\n"                       \
	"f7pR77BvfGAsSgyYsCFXiRfBdQqN47zqzquAqHDvKQOSnVSDfq5p+JiJdD0feFE0\n"                       \
	"pplmpB7r3D3uhg82suECQQDSUKqAEQ2XRKPlZCPgJghD8jSCEE8hddofEL2JvQK2\n"                       \
	"CVsdByx3lVUDnc2pMgZ2cz/w4LzwhAyFOM7dcVK1roDLAkEAzpSnGNVugkDc23og\n"                       \
	"gTtmUbuZqa31IfmESBCs/79UE+CrHCdwWvWMTtmJhibdewLaaa2s/cM9D1x4mYpw\n"                       \
	"cd7ryQJAEXAy0u+XCuXcGRcWim1c3hVlGSu1A/c7oLvIm3UalnFsJpoDq96r7+LT\n"                       \
	"vKWzN3sS4CwiPmcUiq9NJ7tPulS/xQJAFtpXCeZCjWJDjHwcMG+zyALq4tx9q76A\n"                       \
	"pcBCgyBVWsWV6E1snoNffDGQhyixg7QzGVG/O2tny9U8+i9YdSBmEQJBALTr8zqm\n"                       \
	"K4g+kTps/JclJYXOj2ZLi5d6ISdEnCRGLN1rBS/7s14P1i2cTYkWzeSz5UOyFpXN\n"                       \
	"a4Jx8rfD5/Vn1iE=\n"                                                                       \
	"-----END PRIVATE KEY-----\n"

#define RSA_ENCRYPTED_PEM                                                                          \
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"                                                  \
	"MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI4OdyyPRlw+4CAggA\n"                       \
	"MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAECBBC2jUCT2zR98gr1Fh9m3Y97BIIE\n"                       \
	"0EAEEBN2N7vFKDeTwX0T13fb2EZyV8K2HmrVMkggI4KO5kQo4Rb3/q1EbssmB3Rb\n"                       \
	"1OrX/lElvOzIJWv1TlHMUlNoHHyNhsk1Gwc7QPDK6RHq4tcPxbTQFQeTuj9wlcxk\n"                       \
	"AZY7BcRu/lklaxFfxHPQiVSQvZvfF8DqbIbeE++6WZ1PFZUDdkabwnj8fEOhBr2z\n"                       \
	"Ryz+EvPzHBSZFQcqvFwOcbDFbHR1/l+Zx0udTA8tTxHz0Vie06nsX1USPxQDp+pX\n"                       \
	"OYOb0Z+UJYoeQzqLcVmgoOspPikv7BhBALYeRP+7/Je9YfBFu2y4hipVqB/37lWN\n"                       \
	"+zjOYgjCN4CTsXI8zPXCR9gqXI/mSa2om1CsaY2blHpOGBJVzRo0NKg+cxU6EFaM\n"                       \
	"78SPVv0O357vZkHuThsNKGT3EvHc6Xe8ASDHqoKZLF90HfAH+VZUYrYXxoUgF+nN\n"                       \
	"iKKRAuHDmrStHq2gPnfZHM6BrQSkVHRbbWEZz1IpGPSwe2AgUXyMWxeR3a7uHL8D\n"                       \
	"Jslq8rCqLSLy7VUP0PNAaByZtSVVcx/I3Yi3yJnI5oSUVi0buDjtmK6aLU2bAlXk\n"                       \
	"hPeYAJE9GRDjPn2wKmkh3/QuzDhAuthzQgzZRNEun5w5yn1kPWTaMtI6wq62Zcn3\n"                       \
	"DQP73vHq7S3k0Grr+DfJ4ZG4a6Xe4PRmS7lqJm959gbkHL9RVwfA7T2lUGni2aVt\n"                       \
	"oO2X8bUPEaebQeFjaztWSz409PCjuN+oE0pMQW7iShv/A9dDG2O0EhF/jewiXG0L\n"                       \
	"IVnxyQsD1JVqm5JIkLOj8IQxfOjQIK+IFlFai9oqBS9PDN+GJC+ts1gLTiJN16IR\n"                       \
	"SSgwyqabvfYnJFhDkOGkjNGtMxRFI2vzayUTEWU0v1ZYMgeYa0hRMS+nI0asZ6MQ\n"                       \
	"Nn95c8iZPxJ6/V8IE7h/9tJuGkWGuJqk35jwy/AbyOxOFGe41HZ8UDFZZP2p/J2c\n"                       \
	"zFTv0OfnEHDuVFAGGzSzS+v3FoPMQmgxqnUexrHyUYU5LxXs6W89N8OAa+/9v7Pp\n"                       \
	"ZnKIOu5nrEnp0BJJT8j8jwbaDXQUu2CynkceAk6U+9VBJGPPngvM639NbYyFY2Wr\n"                       \
	"Nkaa+0lazh3d780ZUWUh7CkRp0GoJyxD8je2U7lZyiTYgHd7LEOB5fA2tnD8EeOk\n"                       \
	"76TE5PEFmvWtHk1ZWJ2d9d4Huy1/xqQI3CTrDw3Q/zPtC7pIGNFaJLN5sPkk+hs+\n"                       \
	"DXTNpysCiRXev+O2TMIPCFsbSSLxZyYi9VVzPjcLCpnSyZOb6Af+vzDoXOYkJJkJ\n"                       \
	"kbhdyoqWm9WOXA4oQU2dsSSArWjuD5bnxJh2SlDWGCLhEzpuwn0+Le6uTkoqK3QG\n"                       \
	"0NAN9rKSjDwUdJGnPR04v3yert8n1AUsRQJUz1TroAQlwNEV+gipLRSnFzye5lBc\n"                       \
	"JnORWfg5z7jNZ3MUpCWajzq7P2AUvvEt5RAgpUKsuaDGOHvxQ9oceIjc45MczSJc\n"                       \
	"VqAWt6lwUD5YBRQiy/tRyI2k3+zr5cYJcWodYsujXw9jA68zULi7OAE5Ptxwcl2F\n"                       \
	"QS1R3n97Po2Er1g3y9euBI9MbJ9N+ebdjr/9kh5sxPEVWkn3OC3bVYcSb0GKF/Oy\n"                       \
	"pFM0DXBdoTMvXcfrBZnve+AjCafcYR0DiqXyNuz59CxC\n"                                           \
	"-----END ENCRYPTED PRIVATE KEY-----\n"
